// As much of Metal's language as naga's texts of the matrix products need, in CUDA: nvidia.py.
#define GPU __device__ inline

namespace metal {

typedef unsigned uint;

// A parameter of this type converts its argument, as it takes no part in the deduction of T.
template <class T> struct same { typedef T type; };

template <class T, int N> struct vec;

template <class T> struct alignas(2 * sizeof(T)) vec<T, 2> {
    T x, y;
    vec() = default;
    GPU vec(T all) : x(all), y(all) {}
    GPU vec(T x, T y) : x(x), y(y) {}
    GPU T &operator[](unsigned i) { return (&x)[i]; }
    GPU const T &operator[](unsigned i) const { return (&x)[i]; }
};

template <class T> struct vec<T, 3> {
    T x, y, z;
    vec() = default;
    GPU vec(T all) : x(all), y(all), z(all) {}
    GPU vec(T x, T y, T z) : x(x), y(y), z(z) {}
    template <class U> GPU explicit vec(vec<U, 3> v) : x(v.x), y(v.y), z(v.z) {}
    GPU T &operator[](unsigned i) { return (&x)[i]; }
    GPU const T &operator[](unsigned i) const { return (&x)[i]; }
};

template <class T> struct alignas(4 * sizeof(T)) vec<T, 4> {
    T x, y, z, w;
    vec() = default;
    GPU vec(T all) : x(all), y(all), z(all), w(all) {}
    GPU vec(T x, T y, T z, T w) : x(x), y(y), z(z), w(w) {}
    template <class U> GPU explicit vec(vec<U, 4> v) : x(v.x), y(v.y), z(v.z), w(v.w) {}
    GPU T &operator[](unsigned i) { return (&x)[i]; }
    GPU const T &operator[](unsigned i) const { return (&x)[i]; }
};

typedef vec<uint, 2> uint2;
typedef vec<uint, 3> uint3;
typedef vec<uint, 4> uint4;
typedef vec<int, 3> int3;
typedef vec<int, 4> int4;
typedef vec<float, 3> float3;
typedef vec<float, 4> float4;
typedef vec<bool, 4> bool4;
typedef int3 packed_int3;
typedef uint3 packed_uint3;

#define OPERATOR(result, op)                                                                             \
    template <class T, int N> GPU vec<result, N> operator op(vec<T, N> a, vec<T, N> b) {                 \
        vec<result, N> out;                                                                              \
        for (int i = 0; i < N; i++) out[i] = a[i] op b[i];                                               \
        return out;                                                                                      \
    }                                                                                                    \
    template <class T, int N> GPU vec<result, N> operator op(vec<T, N> a, typename same<T>::type b) {    \
        return a op vec<T, N>(b);                                                                        \
    }                                                                                                    \
    template <class T, int N> GPU vec<result, N> operator op(typename same<T>::type a, vec<T, N> b) {    \
        return vec<T, N>(a) op b;                                                                        \
    }
OPERATOR(T, +)
OPERATOR(T, -)
OPERATOR(T, *)
OPERATOR(T, /)
OPERATOR(T, %)
OPERATOR(T, &)
OPERATOR(T, |)
OPERATOR(bool, ==)
OPERATOR(bool, !=)
OPERATOR(bool, <)
OPERATOR(bool, <=)
OPERATOR(bool, >)
OPERATOR(bool, >=)

template <class T, int N> GPU vec<T, N> operator-(vec<T, N> a) { return vec<T, N>(0) - a; }
template <class T, int N> GPU void operator-=(vec<T, N> &a, vec<T, N> b) { a = a - b; }

struct float4x4 {
    float4 columns[4];
    float4x4() = default;
    GPU float4x4(float4 a, float4 b, float4 c, float4 d) : columns{a, b, c, d} {}
    GPU float4 &operator[](int i) { return columns[i]; }
};

GPU float4x4 operator+(float4x4 a, float4x4 b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]}; }

GPU int select(int a, int b, bool second) { return second ? b : a; }
GPU uint select(uint a, uint b, bool second) { return second ? b : a; }
GPU float select(float a, float b, bool second) { return second ? b : a; }
GPU uint min(uint a, uint b) { return a < b ? a : b; }
GPU int min(int a, int b) { return a < b ? a : b; }
GPU float exp(float a) { return __expf(a); }
GPU float max(float a, float b) { return fmaxf(a, b); }
GPU float min(float a, float b) { return fminf(a, b); }

template <class T, int N> GPU vec<T, N> select(vec<T, N> a, typename same<vec<T, N>>::type b, vec<bool, N> second) {
    vec<T, N> out;
    for (int i = 0; i < N; i++) out[i] = second[i] ? b[i] : a[i];
    return out;
}

template <class T> GPU vec<T, 4> each(T (*f)(T, T), vec<T, 4> a, vec<T, 4> b) {
    return {f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w)};
}

GPU float4 max(float4 a, float4 b) { return each<float>(max, a, b); }
GPU float4 min(float4 a, float4 b) { return each<float>(min, a, b); }
GPU float4 clamp(float4 a, float4 least, float4 most) { return min(max(a, least), most); }
GPU float4 exp(float4 a) { return {exp(a.x), exp(a.y), exp(a.z), exp(a.w)}; }

template <int N> GPU bool all(vec<bool, N> a) {
    bool out = true;
    for (int i = 0; i < N; i++) out &= a[i];
    return out;
}

template <class T> GPU vec<T, 4> simd_shuffle(vec<T, 4> a, uint lane) {
    vec<T, 4> out;
    for (int i = 0; i < 4; i++) out[i] = __shfl_sync(~0u, a[i], lane);
    return out;
}

template <class T> GPU vec<T, 4> simd_broadcast(vec<T, 4> a, uint lane) { return simd_shuffle(a, lane); }

enum mem_flags { mem_threadgroup };
GPU void threadgroup_barrier(mem_flags) { __syncthreads(); }

}  // namespace metal

template <class To, class From> GPU To as_type(From from) {
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
