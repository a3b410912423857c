//! A transposed convolution inside an application that owns its device, encoder and buffers, with wgpu's default
//! limits.
//!
//! The application here is a stand-in: it makes a device and buffers, and reads the result where others would draw it.

use upconv::{Bindings, ConvTranspose2d, Planner, wgpu};
use wgpu::util::{BufferInitDescriptor, DeviceExt};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What the application has anyway: a device with default limits and no features, and its queue.
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;

    // Once per layer: describe it and plan it. Sizes that do not fit are returned here as errors.
    let up = ConvTranspose2d {
        in_channels: 2,
        out_channels: 1,
        input_size: [3, 3],
        kernel_size: [2, 2],
        stride: [2, 2],
        ..Default::default()
    };
    let planner = Planner::new(&device);
    let plan = planner.plan(&up)?;
    println!("{} on {}: {:?}", plan.recipe(), adapter.get_info().name, plan.cost());

    // The application's buffers: STORAGE is all that the library asks for.
    let storage = |label, values: &[f32]| {
        let contents = bytemuck::cast_slice(values);
        device.create_buffer_init(&BufferInitDescriptor {
            label: Some(label),
            contents,
            usage: wgpu::BufferUsages::STORAGE,
        })
    };
    let input = storage("app::input", &[1.0; 2 * 3 * 3]);
    let weight = storage("app::weight", &[0.5, 1.0, 1.5, 2.0, 0.5, 1.0, 1.5, 2.0]);
    let buffer = |label, usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: 6 * 6 * 4,
            usage,
            mapped_at_creation: false,
        })
    };
    let output = buffer("app::output", wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
    let staging = buffer("app::staging", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let bound = plan.bind(&Bindings::new().input(input.slice(..)).weight(weight.slice(..)).output(output.slice(..)))?;

    // Every frame: the application's encoder, the application's pass. `encode` only records.
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        bound.encode(&mut pass);
    }
    encoder.copy_buffer_to_buffer(&output, 0, &staging, 0, staging.size());
    queue.submit([encoder.finish()]);

    // The application reads its buffer when it likes.
    staging.slice(..).map_async(wgpu::MapMode::Read, |result| result.expect("the staging buffer can be mapped"));
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let values: Vec<f32> = bytemuck::pod_collect_to_vec(&staging.slice(..).get_mapped_range()?);
    values.chunks(6).for_each(|row| println!("{row:?}"));
    assert_eq!(values[..2], [1.0, 2.0]);
    Ok(())
}
