//! Encoding a hundred thousand times does not make the process grow. In a file of its own, so that no other test runs
//! in the process.

#![cfg(target_os = "linux")]

use upconv::gpu::Bindings;
use upconv::{ConvTranspose2d, Gpu, Op};

/// Kilobytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The device's buffers, their bytes, and its bind groups, by wgpu's own counters.
fn objects(gpu: &Gpu) -> [isize; 3] {
    let hal = gpu.device().get_internal_counters().hal;
    [hal.buffers.read(), hal.buffer_memory.read(), hal.bind_groups.read()]
}

const ROUNDS: usize = 1000;
const ENCODED_IN_A_ROUND: usize = 100;

#[test]
fn a_hundred_thousand_encodes() {
    for gpu in Gpu::all().unwrap() {
        let up = ConvTranspose2d { input_size: [2, 2], kernel_size: [2, 2], ..Default::default() };
        let operands = [up.inputs().unwrap(), up.outputs().unwrap()].concat();
        let bytes = |shape: &[usize]| 4 * shape.iter().product::<usize>() as u64;
        let buffers: Vec<_> =
            operands.iter().map(|operand| gpu.buffer("memory", bytes(&operand.shape)).unwrap()).collect();
        let slices = buffers.iter().map(|buffer| buffer.slice(..));
        let bindings: Bindings = operands.iter().map(|operand| operand.role).zip(slices).collect();
        let bound = gpu.planner().plan(&up).unwrap().bind(&bindings).unwrap();
        let mut before = None;
        for round in 0..ROUNDS {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..ENCODED_IN_A_ROUND {
                bound.encode(&mut pass);
            }
            drop(pass);
            gpu.queue().submit([encoder.finish()]);
            gpu.device().poll(upconv::wgpu::PollType::wait_indefinitely()).unwrap();
            // Drivers fill pools of their own at first.
            if round == ROUNDS / 5 {
                before = Some((resident(), objects(&gpu)));
            }
        }
        let (kilobytes, counted) = before.unwrap();
        assert_eq!(objects(&gpu), counted, "on {}", gpu.info().name);
        let grown = resident().saturating_sub(kilobytes);
        println!("{} ({:?}): {grown} kB more", gpu.info().name, gpu.info().backend);
        assert!(grown < 4096, "{} grew by {grown} kB", gpu.info().name);
        // Some drivers crash when a device is destroyed at exit.
        std::mem::forget(gpu);
    }
}
