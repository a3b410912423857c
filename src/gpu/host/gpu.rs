//! A small host for those who have no wgpu device of their own: find an adapter, upload, run, read back.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ndarray::{ArrayView, Dimension};
use wgpu::{
    Adapter, AdapterInfo, Backends, Buffer, BufferUsages, Device, DeviceType, ErrorFilter, Features, Instance,
    InstanceDescriptor, Limits, Queue,
};

#[cfg(not(target_arch = "wasm32"))]
use super::poller::Poller;
use crate::error::{Error, Result};
use crate::geometry::at_most;
use crate::gpu::plan::planner::Planner;
use crate::tensor::element::{Element, TensorView};

/// A GPU device of the library's own.
///
/// The environment chooses among several adapters: `WGPU_BACKEND` (such as `vulkan` or `metal,gl`) limits the back
/// ends, and `WGPU_ADAPTER_NAME` is a part of the adapter's name, in upper or lower case.
///
/// Whatever goes wrong on the device (it is lost, or out of memory) comes back as an error value; a new `Gpu` can be
/// made afterwards.
///
/// ```no_run
/// # use upconv::{ConvTranspose2d, Gpu, ndarray::Array4};
/// let (x, w) = (Array4::<f32>::ones((1, 8, 32, 32)), Array4::<f32>::ones((8, 3, 4, 4)));
/// let base = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1)?;
/// let up = ConvTranspose2d { stride: [2, 2], padding: [1, 1].into(), ..base };
/// let y = Gpu::new()?.run(&up, &[x.view(), w.view()])?;
/// assert_eq!(y.dim(), (1, 3, 64, 64));
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    queue: Queue,
    info: AdapterInfo,
    planner: Planner,
    time_budget: Duration,
    lost: Arc<Mutex<Option<String>>>,
    #[cfg(not(target_arch = "wasm32"))]
    poller: std::sync::OnceLock<Poller>,
}

/// How long a submission of [`Gpu`] may be predicted to take at first. Windows resets a device after two seconds, and
/// predictions for a device that was not tuned may be wrong by several times.
const TIME_BUDGET: Duration = Duration::from_millis(50);

/// How long a failed call waits for work under way, after which wgpu reports that the device is lost.
const LOSS_REPORTED: Duration = Duration::from_secs(1);

/// The experimental features that are asked for where the adapter has them.
#[cfg(feature = "cooperative-matrix")]
const EXPERIMENTAL: Features = Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
#[cfg(not(feature = "cooperative-matrix"))]
const EXPERIMENTAL: Features = Features::empty();

#[cfg(feature = "cooperative-matrix")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: wgpu's validation of experimental features may have holes. This crate's shaders use the one asked for
    // with the sizes and types that the adapter lists; whoever turned the cargo feature on answers for other shaders on
    // the device.
    #[allow(unsafe_code)]
    unsafe {
        wgpu::ExperimentalFeatures::enabled()
    }
}

#[cfg(not(feature = "cooperative-matrix"))]
fn experimental() -> wgpu::ExperimentalFeatures {
    wgpu::ExperimentalFeatures::disabled()
}

impl Gpu {
    /// A device of the adapter that the environment asks for, or else of the one that wgpu takes for the fastest.
    /// [`Error::NoAdapter`] or [`Error::NoDevice`] if there is none.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Self> {
        pollster::block_on(Self::request())
    }

    /// A `Gpu` for every adapter that the environment allows and that gives a device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn all() -> Result<Vec<Self>> {
        pollster::block_on(async {
            let mut gpus = Vec::new();
            for adapter in named(instance(Backends::all())?.enumerate_adapters(Backends::all()).await) {
                gpus.extend(Self::from_adapter(&adapter).await);
            }
            Ok(gpus)
        })
    }

    /// [`Gpu::new`] as a future. OpenGL is asked only if no other back end has an adapter.
    pub async fn request() -> Result<Self> {
        let adapter = match Self::adapter(Backends::PRIMARY).await {
            Ok(adapter) => adapter,
            Err(_) => Self::adapter(Backends::all()).await?,
        };
        Self::from_adapter(&adapter).await
    }

    async fn adapter(backends: Backends) -> Result<Adapter> {
        let instance = instance(backends)?;
        if let Some(name) = adapter_name() {
            let found = named(instance.enumerate_adapters(Backends::all()).await);
            let missing = || Error::NoAdapter(format!("none has \"{name}\" (WGPU_ADAPTER_NAME) in its name"));
            return found.into_iter().next().ok_or_else(missing);
        }
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        instance.request_adapter(&options).await.map_err(|error| Error::NoAdapter(error.to_string()))
    }

    /// A device of this adapter with its largest buffers, bindings and textures, else with wgpu's default limits or the
    /// adapter's lower ones, and with timestamp queries, f16, subgroups and additional storage texture formats, as far
    /// as the adapter has them. [`Error::NoDevice`] if it gives none.
    pub async fn from_adapter(adapter: &Adapter) -> Result<Self> {
        let offered = adapter.limits();
        let wanted = Features::TIMESTAMP_QUERY
            | Features::SHADER_F16
            | Features::SUBGROUP
            | Features::BGRA8UNORM_STORAGE
            | Features::TEXTURE_FORMAT_16BIT_NORM
            | EXPERIMENTAL;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("upconv::host::device"),
            required_features: adapter.features() & wanted,
            experimental_features: experimental(),
            required_limits: Limits {
                max_buffer_size: offered.max_buffer_size,
                max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
                max_texture_dimension_2d: offered.max_texture_dimension_2d,
                ..Limits::default().or_worse_values_from(&offered)
            },
            ..Default::default()
        };
        let refused = |error: wgpu::RequestDeviceError| Error::NoDevice(error.to_string());
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(refused)?;
        let lost = Arc::new(Mutex::new(None));
        let reason_kept = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            let text = if message.is_empty() { format!("{reason:?}") } else { message };
            reason_kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        });
        let planner = Planner::new(&device);
        #[cfg(feature = "cooperative-matrix")]
        let planner = planner.with_cooperative_matrices(&adapter.cooperative_matrix_properties());
        Ok(Self { planner, lost, ..Self::from_device(&device, &queue) })
    }

    /// A `Gpu` on a device that the caller made. If the device is lost, only the caller's own callback learns why.
    pub fn from_device(device: &Device, queue: &Queue) -> Self {
        let (device, queue) = (device.clone(), queue.clone());
        Self {
            planner: Planner::new(&device),
            time_budget: TIME_BUDGET,
            info: device.adapter_info(),
            device,
            queue,
            lost: Default::default(),
            #[cfg(not(target_arch = "wasm32"))]
            poller: Default::default(),
        }
    }

    /// See [`Planner::with_cooperative_matrices`].
    #[cfg(feature = "cooperative-matrix")]
    pub fn with_cooperative_matrices(mut self, matrices: &[wgpu::CooperativeMatrixProperties]) -> Self {
        self.planner = self.planner.with_cooperative_matrices(matrices);
        self
    }

    /// Sets how long one submission may be predicted to take; at first 50 ms. Longer work is submitted in parts, as
    /// [`Bound::parts`](crate::Bound::parts) cuts it, with the same bits in the result. Work that would need more than
    /// 4096 dispatches to be so short has longer ones.
    pub fn with_time_budget(mut self, budget: Duration) -> Self {
        self.time_budget = budget;
        self
    }

    /// How long one submission may be predicted to take.
    pub fn time_budget(&self) -> Duration {
        self.time_budget
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The device's queue.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The adapter's name, driver and kind.
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// Whether the adapter is a software driver, which runs shaders on the CPU.
    pub fn is_software(&self) -> bool {
        self.info.device_type == DeviceType::Cpu
    }

    /// The planner, whose pipelines [`Gpu::run`] uses too.
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// A storage buffer that holds a tensor row-major, whatever the view's strides. A buffer is never empty: it holds
    /// at least four bytes. [`Error::TooLarge`] past `max_buffer_size`.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn upload<'a>(&self, tensor: impl Into<TensorView<'a>>) -> Result<Buffer> {
        let view = tensor.into();
        let (buffer, failure) = self.scoped(|| self.fill(&view));
        pollster::block_on(async { self.outcome(buffer, failure.await) })
    }

    /// A storage buffer of zeros that can be copied to and from, labelled `upconv::host::<name>`. Its size is `bytes`
    /// rounded up to a multiple of four, and at least four. [`Error::TooLarge`] past `max_buffer_size`.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn buffer(&self, name: &str, bytes: u64) -> Result<Buffer> {
        let (buffer, failure) = self.scoped(|| self.allocate(name, bytes));
        pollster::block_on(async { self.outcome(buffer, failure.await) })
    }

    pub(super) fn fill(&self, view: &TensorView) -> Result<Buffer> {
        match view {
            TensorView::F32(view) => self.fill_with(view.view()),
            TensorView::F16(view) => self.fill_with(view.view()),
            TensorView::I32(view) => self.fill_with(view.view()),
            TensorView::U8(view) => self.fill_with(view.view()),
            TensorView::I8(view) => self.fill_with(view.view()),
        }
    }

    fn fill_with<T: Element, D: Dimension>(&self, view: ArrayView<T, D>) -> Result<Buffer> {
        let standard = view.as_standard_layout();
        let bytes: &[u8] = standard.as_slice().map(bytemuck::cast_slice).unwrap_or_default();
        let buffer = self.allocate("input", bytes.len() as u64)?;
        // A queue writes whole words: zeros fill the last one.
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        self.queue.write_buffer(&buffer, 0, words);
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.queue.write_buffer(&buffer, words.len() as u64, &last);
        }
        Ok(buffer)
    }

    pub(super) fn allocate(&self, name: &str, bytes: u64) -> Result<Buffer> {
        let limit = self.device.limits().max_buffer_size;
        at_most("a buffer's size in bytes (max_buffer_size)", bytes.into(), limit.into())?;
        Ok(self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(&format!("upconv::host::{name}")),
            size: bytes.next_multiple_of(4).max(4),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        }))
    }

    pub(super) fn enqueue(&self, encoder: wgpu::CommandEncoder) {
        self.queue.submit([encoder.finish()]);
    }

    pub(super) fn encoder(&self) -> wgpu::CommandEncoder {
        let label = Some("upconv::host::encoder");
        self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label })
    }

    /// Makes the device finish what was submitted, and calls `failed` if it cannot. One thread does so for all callers;
    /// the first call starts it. Browsers finish by themselves.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn finish_in_background(&self, failed: impl FnOnce(Error) + Send + 'static) {
        let device = self.device.clone();
        let finish = move || device.poll(wgpu::PollType::wait_indefinitely()).map(|_| ()).map_err(|e| e.to_string());
        self.poller.get_or_init(|| Poller::new(finish)).wait(failed);
    }

    /// Submits what `record` records and waits for its end.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn submit_and_wait<T>(&self, record: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<T>) -> Result<T> {
        let (value, failure) = self.scoped(|| {
            let mut encoder = self.encoder();
            let value = record(&mut encoder)?;
            self.queue.submit([encoder.finish()]);
            Ok(value)
        });
        let value = pollster::block_on(async { self.outcome(value, failure.await) })?;
        self.wait()?;
        Ok(value)
    }

    /// Waits for the end of what was submitted.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn wait(&self) -> Result<()> {
        let failed = |error: wgpu::PollError| self.lost_or(Error::Device(error.to_string()));
        self.device.poll(wgpu::PollType::wait_indefinitely()).map(|_| ()).map_err(failed)
    }

    /// Does some work in error scopes. The future gives an error that the device reported of it, if there is one.
    pub(super) fn scoped<T, F: FnOnce() -> T>(
        &self,
        work: F,
    ) -> (T, impl Future<Output = Option<wgpu::Error>> + use<T, F>) {
        let filters = [ErrorFilter::OutOfMemory, ErrorFilter::Internal, ErrorFilter::Validation];
        let [memory, internal, validation] = filters.map(|filter| self.device.push_error_scope(filter));
        let value = work();
        let caught = (validation.pop(), internal.pop(), memory.pop());
        let first = async move {
            let (validation, internal, memory) = (caught.0.await, caught.1.await, caught.2.await);
            memory.or(internal).or(validation)
        };
        (value, first)
    }

    /// The value, unless the device was lost or failed.
    pub(super) fn outcome<T>(&self, value: Result<T>, failure: Option<wgpu::Error>) -> Result<T> {
        match failure {
            Some(wgpu::Error::OutOfMemory { source }) => Err(self.lost_or(Error::OutOfMemory(source.to_string()))),
            Some(error) => Err(self.lost_or(Error::Device(error.to_string()))),
            None => value,
        }
    }

    /// [`Error::DeviceLost`] if the device is lost, which explains any other error; else `error`.
    pub(super) fn lost_or(&self, error: Error) -> Error {
        // A poll that finds no work left reports the loss; if the poll itself fails, that adds nothing to `error`.
        let _ = self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(LOSS_REPORTED) });
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map_or(error, Error::DeviceLost)
    }
}

/// A wgpu instance with those of the back ends that the environment and the build allow.
fn instance(backends: Backends) -> Result<Instance> {
    if Instance::enabled_backend_features().is_empty() {
        return Err(Error::NoAdapter("this build has no wgpu back end; enable one of the crate's features".into()));
    }
    let mut descriptor = InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends &= backends;
    Ok(Instance::new(descriptor))
}

fn adapter_name() -> Option<String> {
    std::env::var("WGPU_ADAPTER_NAME").ok().filter(|name| !name.is_empty()).map(|name| name.to_lowercase())
}

/// The adapters whose name contains `WGPU_ADAPTER_NAME`; all if it is not set.
fn named(adapters: Vec<Adapter>) -> Vec<Adapter> {
    let name = adapter_name().unwrap_or_default();
    adapters.into_iter().filter(|adapter| adapter.get_info().name.to_lowercase().contains(&name)).collect()
}
