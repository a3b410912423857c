//! What a plan is bound to: a buffer slice or a texture level for each of the op's tensors.

use wgpu::{BufferSlice, Texture};

use super::texture_level::TextureLevel;
use crate::tensor::operand::Role;

/// Where a tensor is: in a slice of a buffer, or in a level of a texture.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Resource<'a> {
    /// A slice of a buffer with `STORAGE` usage.
    Slice(BufferSlice<'a>),
    /// A level of a texture, with `TEXTURE_BINDING` usage to be read, `STORAGE_BINDING` to be written.
    Texture(TextureLevel<'a>),
}

impl<'a> From<BufferSlice<'a>> for Resource<'a> {
    fn from(slice: BufferSlice<'a>) -> Self {
        Self::Slice(slice)
    }
}

impl<'a> From<TextureLevel<'a>> for Resource<'a> {
    fn from(level: TextureLevel<'a>) -> Self {
        Self::Texture(level)
    }
}

impl<'a> From<&'a Texture> for Resource<'a> {
    fn from(texture: &'a Texture) -> Self {
        Self::Texture(texture.into())
    }
}

/// What a plan is bound to, by the tensors' names: see [`Plan::bind`](crate::Plan::bind).
///
/// ```no_run
/// # fn bind(plan: &upconv::Plan, [x, w, y]: [&upconv::wgpu::Buffer; 3]) -> upconv::Result<upconv::Bound> {
/// use upconv::gpu::Bindings;
/// let bindings = Bindings::new().input(x.slice(..)).weight(w.slice(..)).output(y.slice(..));
/// # plan.bind(&bindings)
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bindings<'a> {
    operands: Vec<(Role, Resource<'a>)>,
    workspaces: Vec<BufferSlice<'a>>,
}

impl<'a> Bindings<'a> {
    /// No bindings yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds the tensor of a role. A second resource for the same role takes the first one's place.
    pub fn with(mut self, role: Role, resource: impl Into<Resource<'a>>) -> Self {
        self.operands.retain(|(other, _)| *other != role);
        self.operands.push((role, resource.into()));
        self
    }

    /// The input.
    pub fn input(self, resource: impl Into<Resource<'a>>) -> Self {
        self.with(Role::Input, resource)
    }

    /// The weight.
    pub fn weight(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::Weight, slice)
    }

    /// The bias.
    pub fn bias(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::Bias, slice)
    }

    /// The gradient of the forward output, for an op that takes it beside the forward input.
    pub fn grad_output(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::GradOutput, slice)
    }

    /// The indices of a pooling, which are `i32`.
    pub fn indices(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::Indices, slice)
    }

    /// The input's zero point in a quantised op.
    pub fn input_zero_point(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::InputZeroPoint, slice)
    }

    /// The weight's zero points in a quantised op.
    pub fn weight_zero_point(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::WeightZeroPoint, slice)
    }

    /// The output.
    pub fn output(self, resource: impl Into<Resource<'a>>) -> Self {
        self.with(Role::Output, resource)
    }

    /// The count of invalid indices, one `i32`: the second output of a max unpooling.
    pub fn invalid(self, slice: BufferSlice<'a>) -> Self {
        self.with(Role::Invalid, slice)
    }

    /// The caller's workspaces, each in a buffer of its own, in the order and sizes of
    /// [`Plan::workspaces`](crate::Plan::workspaces). Plans that do not run at the same time can share them. Without
    /// this call, [`Plan::bind`](crate::Plan::bind) makes workspaces.
    pub fn workspaces(mut self, workspaces: &[BufferSlice<'a>]) -> Self {
        self.workspaces = workspaces.to_vec();
        self
    }

    pub(super) fn get(&self, role: Role) -> Option<Resource<'a>> {
        self.operands.iter().find(|(other, _)| *other == role).map(|(_, resource)| *resource)
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = Role> {
        self.operands.iter().map(|(role, _)| *role)
    }

    pub(super) fn given_workspaces(&self) -> &[BufferSlice<'a>] {
        &self.workspaces
    }
}

/// From the tensors' roles and resources, for code that knows an op only by [`Op::inputs`](crate::Op::inputs).
impl<'a, R: Into<Resource<'a>>> FromIterator<(Role, R)> for Bindings<'a> {
    fn from_iter<I: IntoIterator<Item = (Role, R)>>(operands: I) -> Self {
        operands.into_iter().fold(Self::new(), |bindings, (role, resource)| bindings.with(role, resource))
    }
}
