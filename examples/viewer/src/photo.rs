//! A photograph in textures of the application's device: two upsamplings of it, recorded each frame and never read
//! back.

use eframe::egui::TextureId;
use egui_wgpu::RenderState;
use image::RgbaImage;
use upconv::gpu::{GpuOp, PixelFormat};
use upconv::wgpu::{self, Buffer, Texture, TextureFormat, TextureUsages, util::DeviceExt};
use upconv::{Bindings, Bound, Coordinates, Filter, PlanOptions, Planner, PytorchInterpolate, Result, Upsample2d};
use upconv::{Border, Error, UpsampleMode};

use crate::kernel::Kernel;
use crate::timing::Clock;

/// Most pixels of an upsampled picture. More, four bytes each, may be too many for a GPU's memory.
const MAX_PIXELS: u128 = 1 << 26;

/// How one side is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos,
    /// The kernel that is edited, as a transposed convolution.
    Kernel,
}

impl Method {
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Nearest, "nearest"),
        (Self::Bilinear, "bilinear"),
        (Self::Bicubic, "bicubic"),
        (Self::Lanczos, "Lanczos 3"),
        (Self::Kernel, "transposed convolution"),
    ];

    /// The method that a command line names.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "nearest" => Some(Self::Nearest),
            "bilinear" => Some(Self::Bilinear),
            "bicubic" => Some(Self::Bicubic),
            "lanczos" => Some(Self::Lanczos),
            "kernel" => Some(Self::Kernel),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| *name)
    }

    /// The upsampling of three channels by the factors `stride`; none for [`Method::Kernel`].
    pub fn upsample(self, input_size: [usize; 2], stride: [usize; 2]) -> Option<Result<Upsample2d>> {
        let output_size = std::array::from_fn(|axis| input_size[axis] * stride[axis]);
        let base = Upsample2d { channels: 3, input_size, output_size, ..Default::default() };
        Some(match self {
            Self::Kernel => return None,
            Self::Nearest => Upsample2d::pytorch(base, PytorchInterpolate::Nearest),
            Self::Bilinear => Upsample2d::pytorch(base, PytorchInterpolate::Linear { align_corners: false }),
            Self::Bicubic => Upsample2d::pytorch(base, PytorchInterpolate::Cubic { align_corners: false }),
            Self::Lanczos => {
                let mode = UpsampleMode::Filtered {
                    filter: Filter::Lanczos { lobes: 3 },
                    antialias: false,
                    border: Border::Renormalise,
                };
                Ok(Upsample2d { mode, coordinates: Coordinates::HalfPixel, ..base })
            }
        })
    }
}

/// How the two sides are computed; a change makes new plans.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub methods: [Method; 2],
    pub kernel: Kernel,
    /// Whether sRGB is decoded before the upsampling and encoded after it.
    pub linear: bool,
}

/// One side's texture, in which the library writes and from which egui draws.
pub struct Side {
    bound: Bound,
    pub id: TextureId,
    /// Height and width.
    pub size: [usize; 2],
    pub recipe: String,
}

/// The photograph, and its two upsamplings.
pub struct Photo {
    planner: Planner,
    input: Texture,
    /// Height and width.
    pub size: [usize; 2],
    made_for: Option<Settings>,
    pub sides: [Option<Side>; 2],
    /// Why a side could not be planned.
    pub errors: [Option<String>; 2],
    clock: Option<Clock>,
}

impl Photo {
    /// Uploads a photograph. The planner, and with it the pipelines, belongs to eframe's device.
    pub fn new(state: &RenderState, picture: &RgbaImage) -> std::result::Result<Self, String> {
        let (width, height) = picture.dimensions();
        let limit = state.device.limits().max_texture_dimension_2d;
        if width.max(height) > limit {
            return Err(format!(
                "the picture is {width}x{height}; this device's textures have sides of at most {limit}"
            ));
        }
        let usage = TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST;
        let descriptor = texture("viewer::photograph", [height, width], usage);
        let order = wgpu::util::TextureDataOrder::LayerMajor;
        Ok(Self {
            planner: Planner::new(&state.device),
            input: state.device.create_texture_with_data(&state.queue, &descriptor, order, picture),
            size: [height as usize, width as usize],
            made_for: None,
            sides: [None, None],
            errors: [None, None],
            clock: Clock::new(&state.device, &state.queue),
        })
    }

    /// Plans and binds both sides if the settings have changed.
    pub fn update(&mut self, state: &RenderState, settings: &Settings) {
        if self.made_for.as_ref() == Some(settings) {
            return;
        }
        for number in 0..2 {
            self.free(state, number);
            match self.side(state, settings, settings.methods[number]) {
                Ok(side) => (self.sides[number], self.errors[number]) = (Some(side), None),
                Err(error) => self.errors[number] = Some(error.to_string()),
            }
        }
        self.made_for = Some(settings.clone());
    }

    /// Frees the textures that egui draws from.
    pub fn free_all(&mut self, state: &RenderState) {
        (0..2).for_each(|number| self.free(state, number));
    }

    fn free(&mut self, state: &RenderState, number: usize) {
        if let Some(side) = self.sides[number].take() {
            state.renderer.write().free_texture(&side.id);
        }
    }

    fn side(&self, state: &RenderState, settings: &Settings, method: Method) -> Result<Side> {
        match method.upsample(self.size, settings.kernel.stride) {
            Some(up) => self.bind(state, &up?, settings.linear, None),
            None => {
                let up = settings.kernel.layer(3, self.size);
                let weight: Vec<f32> = settings.kernel.weight(3).iter().copied().collect();
                let weight = state.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: Some("viewer::kernel"),
                    contents: bytemuck::cast_slice(&weight),
                    usage: wgpu::BufferUsages::STORAGE,
                });
                self.bind(state, &up, settings.linear, Some(&weight))
            }
        }
    }

    fn bind<O: GpuOp>(&self, state: &RenderState, op: &O, linear: bool, weight: Option<&Buffer>) -> Result<Side> {
        let format = TextureFormat::Rgba8Unorm;
        let pixels = if linear { PixelFormat::srgb(format) } else { format.into() };
        let plan = self.planner.plan_with(op, &PlanOptions::textures(pixels, pixels))?;
        let shape = op.output()?.shape;
        let size = [shape[2], shape[3]];
        let pixels_wanted = size[0] as u128 * size[1] as u128;
        if pixels_wanted > MAX_PIXELS {
            let what = "the number of pixels of an upsampled picture in this viewer";
            return Err(Error::TooLarge { what, value: pixels_wanted, limit: MAX_PIXELS });
        }
        let [height, width] = size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        let usage = TextureUsages::TEXTURE_BINDING | TextureUsages::STORAGE_BINDING;
        let output = state.device.create_texture(&texture("viewer::upsampled", [height, width], usage));
        let ends = Bindings::new().input(&self.input).output(&output);
        let bound = plan.bind(&weight.map_or(ends.clone(), |weight| ends.weight(weight.slice(..))))?;
        let view = output.create_view(&Default::default());
        let filter = wgpu::FilterMode::Nearest;
        let id = state.renderer.write().register_native_texture(&state.device, &view, filter);
        Ok(Side { bound, id, size, recipe: plan.recipe().to_string() })
    }

    /// Records both sides into one pass and submits it, before egui draws.
    pub fn compute(&mut self, state: &RenderState) {
        let mut encoder =
            state.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("viewer") });
        let timestamp_writes = self.clock.as_ref().map(Clock::writes);
        let label = Some("viewer::upsample");
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes });
        self.sides.iter().flatten().for_each(|side| side.bound.encode(&mut pass));
        drop(pass);
        let awaited = self.clock.as_ref().is_some_and(|clock| clock.resolve(&mut encoder));
        state.queue.submit([encoder.finish()]);
        if let Some(clock) = self.clock.as_ref().filter(|_| awaited) {
            clock.request();
        }
    }

    /// Whether the device has a clock.
    pub fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// The GPU's time for both sides some frames ago, in milliseconds; none before the first has arrived.
    pub fn milliseconds(&mut self, state: &RenderState) -> Option<f32> {
        self.clock.as_mut()?.milliseconds(&state.device)
    }
}

/// A texture with eight bits per channel, whose format does not say whether they are sRGB-encoded.
fn texture(label: &'static str, [height, width]: [u32; 2], usage: TextureUsages) -> wgpu::TextureDescriptor<'static> {
    wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: TextureFormat::Rgba8Unorm,
        usage,
        view_formats: &[],
    }
}

/// Decodes a picture file, and puts white behind what is transparent.
pub fn decode(bytes: &[u8]) -> std::result::Result<RgbaImage, String> {
    let mut picture = image::load_from_memory(bytes).map_err(|error| error.to_string())?.to_rgba8();
    for pixel in picture.pixels_mut() {
        let [.., alpha] = pixel.0.map(u32::from);
        let seen = |channel: u8| ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        let [red, green, blue, _] = pixel.0;
        pixel.0 = [seen(red), seen(green), seen(blue), 255];
    }
    Ok(picture)
}

/// Checks that eframe's device can compute; the error names what is missing.
pub fn check(state: &RenderState) -> Result<()> {
    let limits = state.device.limits();
    let (what, limit) = ("viewer", "max_compute_workgroups_per_dimension");
    match limits.max_compute_workgroups_per_dimension {
        0 => Err(Error::LimitTooLow { what, limit, needed: 1, available: 0 }),
        _ => Ok(()),
    }
}
