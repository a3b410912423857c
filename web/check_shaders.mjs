// Checks every WGSL text that `cargo run --example shaders -- target/shaders` writes, with the browsers' compiler.
import { readdirSync, readFileSync } from 'node:fs';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const folder = new URL('../target/shaders/', import.meta.url);
// Kept in a variable: once it is garbage-collected, the adapter and the device are invalid.
const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
const adapter = await gpu.requestAdapter();
const features = ['subgroups', 'shader-f16', 'bgra8unorm-storage', 'texture-formats-tier1'];
const device = await adapter.requestDevice({ requiredFeatures: features.filter((name) => adapter.features.has(name)) });

const wrong = [];
let checked = 0;
let skipped = 0;
for (const name of readdirSync(folder)) {
    let code = readFileSync(new URL(name, folder), 'utf8');
    // Browsers have no cooperative matrices, and the library does not use them there.
    if (code.includes('wgpu_cooperative_matrix')) {
        skipped += 1;
        continue;
    }
    if (code.includes('subgroup')) {
        code = `enable subgroups;\n${code}`;
    }
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    const error = await device.popErrorScope();
    checked += 1;
    if (error || messages.some(({ type }) => type === 'error')) {
        wrong.push(`${name}: ${error?.message ?? messages[0].message}`);
    }
}
console.log(`${checked} texts checked, ${skipped} skipped (cooperative matrices)`);
console.log(wrong.length ? wrong.join('\n') : 'all pass');
// Some versions of the package crash while they close.
process.exit(wrong.length || checked === 0 ? 1 : 0);
