//! Runs compute shaders on the host, one workgroup after the other, and shows a [`Memory`] every access of a binding.
//!
//! The invocations of a workgroup run side by side: all that reach a statement do it before the next one, so that
//! barriers and subgroups need no more than that. It knows what this crate's shaders use, and refuses the rest by name.

use std::collections::HashMap;

use upconv::half::f16;
use upconv::wgpu::naga;

use naga::proc::Layouter;
use naga::{
    AddressSpace, ArraySize, AtomicFunction, BinaryOperator, Binding, Block, BuiltIn, Expression, Function, GatherMode,
    Handle, Literal, MathFunction, Module, RelationalFunction, ScalarKind, ShaderStage, Statement, SwitchValue, Type,
    TypeInner, UnaryOperator,
};

/// What a shader's bindings hold.
pub trait Memory {
    /// Reads a number of at most four bytes.
    fn load(&mut self, binding: u32, at: u64, bytes: u64, invocation: u32) -> Result<[u8; 4], String>;

    /// Writes a number of at most four bytes. `shared` says that it is an atomic access.
    fn store(&mut self, binding: u32, at: u64, number: &[u8], invocation: u32, shared: bool) -> Result<(), String>;

    /// Bytes of a binding.
    fn len(&self, binding: u32) -> u64;
}

/// A shader with its constants in place.
pub struct Shader {
    module: Module,
    layouter: Layouter,
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scalar {
    U32(u32),
    I32(i32),
    F32(f32),
    F16(f16),
    Bool(bool),
}

#[derive(Clone, Debug)]
enum Value {
    One(Scalar),
    /// A vector.
    Many(Vec<Scalar>),
    /// An array, a struct, or a matrix as columns.
    Parts(Vec<Value>),
    Pointer(Pointer),
}

#[derive(Clone, Copy, Debug)]
enum Space {
    Binding(u32),
    Workgroup,
    Private,
}

#[derive(Clone, Copy, Debug)]
enum Pointee {
    Type(Handle<Type>),
    Number(naga::Scalar),
    /// A column of a matrix: its length and its numbers.
    Column(naga::VectorSize, naga::Scalar),
}

#[derive(Clone, Copy, Debug)]
struct Pointer {
    space: Space,
    at: u64,
    to: Pointee,
}

#[derive(Clone, Copy, PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
    Return,
}

type Outcome<T> = Result<T, String>;

impl Shader {
    /// Parses a text and puts its constants in place.
    pub fn new(text: &str, constants: &[(&str, f64)]) -> Outcome<Self> {
        use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, Validator};
        let module = naga::front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
        let mut validator = Validator::new(Default::default(), Capabilities::all());
        validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
        let info = validator.validate(&module).map_err(|error| format!("{error:?}"))?;
        let values = constants.iter().map(|&(name, value)| (name.to_string(), value)).collect();
        let entry_point = Some((ShaderStage::Compute, "main"));
        let resolved = naga::back::pipeline_constants::process_overrides(&module, &info, entry_point, &values);
        let module = resolved.map_err(|error| error.to_string())?.0.into_owned();
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).map_err(|error| error.to_string())?;
        Ok(Self { module, layouter })
    }

    /// Runs a dispatch of this many workgroups in x and y. Returns the most rounds that an invocation made of its
    /// loops.
    pub fn run(&self, workgroups: [u32; 2], subgroup: usize, memory: &mut dyn Memory) -> Outcome<u64> {
        let entry = &self.module.entry_points[0];
        let lanes: u32 = entry.workgroup_size.iter().product();
        let (mut offsets, mut bytes) = (HashMap::new(), 0);
        for (handle, global) in self.module.global_variables.iter() {
            if global.space == AddressSpace::WorkGroup {
                let layout = self.layouter[global.ty];
                bytes = layout.alignment.round_up(bytes);
                offsets.insert(handle, bytes.into());
                bytes += layout.size;
            }
        }
        let mut rounds = 0;
        for y in 0..workgroups[1] {
            for x in 0..workgroups[0] {
                let mut group = Group {
                    shader: self,
                    memory: &mut *memory,
                    place: [x, y],
                    first: (y * workgroups[0] + x) * lanes,
                    workgroups,
                    subgroup,
                    shared: vec![0; bytes as usize],
                    offsets: &offsets,
                    private: vec![Vec::new(); lanes as usize],
                    top: 0,
                    rounds: vec![0; lanes as usize],
                };
                let all: Vec<usize> = (0..lanes as usize).collect();
                let arguments = all.iter().map(|&lane| group.arguments(&entry.function, lane));
                let arguments = arguments.collect::<Outcome<Vec<_>>>()?;
                group.call(&entry.function, &all, arguments)?;
                rounds = group.rounds.iter().copied().fold(rounds, u64::max);
            }
        }
        Ok(rounds)
    }
}

/// A workgroup that runs.
struct Group<'a> {
    shader: &'a Shader,
    memory: &'a mut dyn Memory,
    /// The workgroup's number in x and y.
    place: [u32; 2],
    /// The number of its first invocation.
    first: u32,
    workgroups: [u32; 2],
    /// Invocations of a subgroup.
    subgroup: usize,
    /// Workgroup memory, and where its variables are.
    shared: Vec<u8>,
    offsets: &'a HashMap<Handle<naga::GlobalVariable>, u64>,
    /// The local variables of each invocation, and where those of the next function begin.
    private: Vec<Vec<u8>>,
    top: u64,
    rounds: Vec<u64>,
}

/// A function that runs.
struct Frame<'a> {
    function: &'a Function,
    /// Each invocation's arguments, values so far, how it goes on, and what it returns.
    arguments: Vec<Vec<Value>>,
    values: Vec<Vec<Option<Value>>>,
    flow: Vec<Flow>,
    returned: Vec<Option<Value>>,
    locals: HashMap<Handle<naga::LocalVariable>, u64>,
}

impl<'a> Group<'a> {
    fn arguments(&self, function: &Function, lane: usize) -> Outcome<Vec<Value>> {
        let entry = &self.shader.module.entry_points[0];
        let [width, height, _] = entry.workgroup_size.map(|size| size as usize);
        let local = [lane % width, lane / width % height, lane / width / height].map(|place| place as u32);
        let group = [self.place[0], self.place[1], 0];
        let vector = |numbers: [u32; 3]| Value::Many(numbers.map(Scalar::U32).to_vec());
        let one = |number: usize| Value::One(Scalar::U32(number as u32));
        let of = |argument: &naga::FunctionArgument| match argument.binding {
            Some(Binding::BuiltIn(built_in)) => Ok(match built_in {
                BuiltIn::GlobalInvocationId => {
                    vector(std::array::from_fn(|i| group[i] * entry.workgroup_size[i] + local[i]))
                }
                BuiltIn::LocalInvocationId => vector(local),
                BuiltIn::LocalInvocationIndex => one(lane),
                BuiltIn::WorkGroupId => vector(group),
                BuiltIn::NumWorkGroups => vector([self.workgroups[0], self.workgroups[1], 1]),
                BuiltIn::SubgroupInvocationId => one(lane % self.subgroup),
                BuiltIn::SubgroupId => one(lane / self.subgroup),
                BuiltIn::SubgroupSize => one(self.subgroup),
                other => return Err(format!("the interpreter does not know {other:?}")),
            }),
            _ => Err("an argument of the entry point that is not built in".into()),
        };
        function.arguments.iter().map(of).collect()
    }

    /// Runs a function on these invocations.
    fn call(&mut self, function: &'a Function, lanes: &[usize], given: Vec<Vec<Value>>) -> Outcome<Vec<Option<Value>>> {
        let all = self.private.len();
        let (bottom, mut locals) = (self.top, HashMap::new());
        for (handle, local) in function.local_variables.iter() {
            let layout = self.shader.layouter[local.ty];
            let at = self.top.next_multiple_of(u64::from(layout.alignment * 1u32));
            locals.insert(handle, at);
            self.top = at + u64::from(layout.size);
        }
        let mut arguments = vec![Vec::new(); all];
        lanes.iter().zip(given).for_each(|(&lane, given)| arguments[lane] = given);
        let mut frame = Frame {
            function,
            arguments,
            values: vec![vec![None; function.expressions.len()]; all],
            flow: vec![Flow::On; all],
            returned: vec![None; all],
            locals,
        };
        for &lane in lanes {
            self.private[lane].resize(self.top as usize, 0);
            for (handle, local) in function.local_variables.iter() {
                let value = match local.init {
                    Some(init) => self.eval(&frame, init, lane)?,
                    None => self.zero(local.ty)?,
                };
                let pointer = Pointer { space: Space::Private, at: frame.locals[&handle], to: Pointee::Type(local.ty) };
                self.write(pointer, &value, lane)?;
            }
        }
        let mut active = lanes.to_vec();
        self.block(&mut frame, &function.body, &mut active)?;
        self.top = bottom;
        Ok(frame.returned)
    }

    /// Runs a block; those that leave it are no longer active afterwards.
    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block, active: &mut Vec<usize>) -> Outcome<()> {
        for statement in block {
            if active.is_empty() {
                return Ok(());
            }
            self.statement(frame, statement, active)?;
            active.retain(|&lane| frame.flow[lane] == Flow::On);
        }
        Ok(())
    }

    fn statement(&mut self, frame: &mut Frame<'a>, statement: &'a Statement, active: &mut Vec<usize>) -> Outcome<()> {
        match statement {
            Statement::Emit(range) => {
                for expression in range.clone() {
                    for &lane in active.iter() {
                        let value = self.compute(frame, expression, lane)?;
                        frame.values[lane][expression.index()] = Some(value);
                    }
                }
            }
            Statement::Block(block) => self.block(frame, block, active)?,
            Statement::If { condition, accept, reject } => {
                let (mut yes, mut no) = (Vec::new(), Vec::new());
                for &lane in active.iter() {
                    if self.truth(frame, *condition, lane)? { yes.push(lane) } else { no.push(lane) }
                }
                self.block(frame, accept, &mut yes)?;
                self.block(frame, reject, &mut no)?;
            }
            Statement::Switch { selector, cases } => self.switch(frame, *selector, cases, active)?,
            Statement::Loop { body, continuing, break_if } => {
                self.repeat(frame, (body, continuing, *break_if), active.clone())?;
            }
            Statement::Break => active.iter().for_each(|&lane| frame.flow[lane] = Flow::Break),
            Statement::Continue => active.iter().for_each(|&lane| frame.flow[lane] = Flow::Continue),
            Statement::Return { value } => {
                for &lane in active.iter() {
                    frame.returned[lane] = value.map(|value| self.eval(frame, value, lane)).transpose()?;
                    frame.flow[lane] = Flow::Return;
                }
            }
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => {
                if active.len() != self.private.len() {
                    return Err(format!("{} of {} invocations reach a barrier", active.len(), self.private.len()));
                }
            }
            Statement::Store { pointer, value } => {
                for &lane in active.iter() {
                    let (pointer, value) = (self.pointer(frame, *pointer, lane)?, self.eval(frame, *value, lane)?);
                    self.write(pointer, &value, lane)?;
                }
            }
            Statement::Atomic { pointer, fun, value, result } => {
                for &lane in active.iter() {
                    let before = self.atomic(frame, *pointer, fun, *value, lane)?;
                    if let Some(result) = result {
                        frame.values[lane][result.index()] = Some(before);
                    }
                }
            }
            Statement::Call { function, arguments, result } => {
                let given = active.iter().map(|&lane| {
                    arguments.iter().map(|&argument| self.eval(frame, argument, lane)).collect::<Outcome<Vec<_>>>()
                });
                let given = given.collect::<Outcome<Vec<_>>>()?;
                let mut returned = self.call(&self.shader.module.functions[*function], active, given)?;
                if let Some(result) = result {
                    active.iter().for_each(|&lane| frame.values[lane][result.index()] = returned[lane].take());
                }
            }
            Statement::SubgroupGather { mode, argument, result } => {
                let from = |lane: usize, group: &mut Self, frame: &Frame<'a>| -> Outcome<usize> {
                    let place = match mode {
                        GatherMode::BroadcastFirst => 0,
                        GatherMode::Broadcast(place) | GatherMode::Shuffle(place) => {
                            bits(one(&group.eval(frame, *place, lane)?)?)
                        }
                        other => return Err(format!("the interpreter does not know {other:?}")),
                    };
                    Ok(lane / group.subgroup * group.subgroup + place as usize)
                };
                let values = active.iter().map(|&lane| {
                    let source = from(lane, self, frame)?;
                    if !active.contains(&source) {
                        return Err(format!("invocation {lane} gathers from {source}, which is not there"));
                    }
                    self.eval(frame, *argument, source)
                });
                let values = values.collect::<Outcome<Vec<_>>>()?;
                active.iter().zip(values).for_each(|(&lane, value)| frame.values[lane][result.index()] = Some(value));
            }
            other => return Err(format!("the interpreter does not know the statement {other:?}")),
        }
        Ok(())
    }

    fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        selector: Handle<Expression>,
        cases: &'a [naga::SwitchCase],
        active: &[usize],
    ) -> Outcome<()> {
        let mut chosen = vec![Vec::new(); cases.len()];
        for &lane in active {
            let number = bits(one(&self.eval(frame, selector, lane)?)?);
            let is = |case: &naga::SwitchCase| match case.value {
                SwitchValue::I32(value) => value as u32 == number,
                SwitchValue::U32(value) => value == number,
                SwitchValue::Default => false,
            };
            let default = || cases.iter().position(|case| case.value == SwitchValue::Default);
            if let Some(case) = cases.iter().position(is).or_else(default) {
                chosen[case].push(lane);
            }
        }
        let mut falling = Vec::new();
        for (case, lanes) in cases.iter().zip(&mut chosen) {
            lanes.append(&mut falling);
            self.block(frame, &case.body, lanes)?;
            if case.fall_through {
                falling = std::mem::take(lanes);
            }
        }
        for &lane in active {
            if frame.flow[lane] == Flow::Break {
                frame.flow[lane] = Flow::On;
            }
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        frame: &mut Frame<'a>,
        (body, continuing, break_if): (&'a Block, &'a Block, Option<Handle<Expression>>),
        mut inside: Vec<usize>,
    ) -> Outcome<()> {
        while !inside.is_empty() {
            let mut running = inside.clone();
            self.block(frame, body, &mut running)?;
            inside.retain(|&lane| match frame.flow[lane] {
                Flow::On => true,
                Flow::Continue => {
                    frame.flow[lane] = Flow::On;
                    true
                }
                Flow::Break => {
                    frame.flow[lane] = Flow::On;
                    false
                }
                Flow::Return => false,
            });
            inside.iter().for_each(|&lane| self.rounds[lane] += 1);
            self.block(frame, continuing, &mut inside)?;
            if let Some(condition) = break_if {
                let mut rest = Vec::new();
                for &lane in &inside {
                    if !self.truth(frame, condition, lane)? {
                        rest.push(lane);
                    }
                }
                inside = rest;
            }
        }
        Ok(())
    }

    fn atomic(
        &mut self,
        frame: &Frame<'a>,
        pointer: Handle<Expression>,
        function: &AtomicFunction,
        value: Handle<Expression>,
        lane: usize,
    ) -> Outcome<Value> {
        let (pointer, value) = (self.pointer(frame, pointer, lane)?, one(&self.eval(frame, value, lane)?)?);
        let Pointer { space: Space::Binding(binding), at, to } = pointer else {
            return Err("an atomic that is in no binding".into());
        };
        let scalar = self.scalar_of(to)?;
        let invocation = self.first + lane as u32;
        let before = from_bytes(self.memory.load(binding, at, 4, u32::MAX)?, scalar)?;
        let after = match function {
            AtomicFunction::Add => binary(BinaryOperator::Add, before, value)?,
            AtomicFunction::Max => math(MathFunction::Max, &[before, value])?,
            AtomicFunction::Min => math(MathFunction::Min, &[before, value])?,
            other => return Err(format!("the interpreter does not know {other:?}")),
        };
        self.memory.store(binding, at, &bits(after).to_le_bytes(), invocation, true)?;
        Ok(Value::One(before))
    }

    fn truth(&mut self, frame: &Frame<'a>, condition: Handle<Expression>, lane: usize) -> Outcome<bool> {
        match self.eval(frame, condition, lane)? {
            Value::One(Scalar::Bool(truth)) => Ok(truth),
            other => Err(format!("{other:?} is no bool")),
        }
    }

    fn pointer(&mut self, frame: &Frame<'a>, pointer: Handle<Expression>, lane: usize) -> Outcome<Pointer> {
        match self.eval(frame, pointer, lane)? {
            Value::Pointer(pointer) => Ok(pointer),
            other => Err(format!("{other:?} is no pointer")),
        }
    }

    /// The value of an expression: that of its last emission, or computed if it needs none.
    fn eval(&mut self, frame: &Frame<'a>, expression: Handle<Expression>, lane: usize) -> Outcome<Value> {
        match &frame.values[lane][expression.index()] {
            Some(value) => Ok(value.clone()),
            None => self.compute(frame, expression, lane),
        }
    }

    fn compute(&mut self, frame: &Frame<'a>, expression: Handle<Expression>, lane: usize) -> Outcome<Value> {
        match frame.function.expressions[expression] {
            Expression::FunctionArgument(number) => Ok(frame.arguments[lane][number as usize].clone()),
            Expression::LocalVariable(variable) => {
                let to = Pointee::Type(frame.function.local_variables[variable].ty);
                Ok(Value::Pointer(Pointer { space: Space::Private, at: frame.locals[&variable], to }))
            }
            Expression::GlobalVariable(variable) => self.global(variable),
            Expression::Load { pointer } => {
                let pointer = self.pointer(frame, pointer, lane)?;
                self.read(pointer, lane)
            }
            Expression::Access { base, index } => {
                let (base, index) = (self.eval(frame, base, lane)?, one(&self.eval(frame, index, lane)?)?);
                self.access(base, bits(index))
            }
            Expression::AccessIndex { base, index } => {
                let base = self.eval(frame, base, lane)?;
                self.access(base, index)
            }
            Expression::ArrayLength(array) => {
                let pointer = self.pointer(frame, array, lane)?;
                let (Space::Binding(binding), Pointee::Type(ty)) = (pointer.space, pointer.to) else {
                    return Err("the length of an array that is in no binding".into());
                };
                let TypeInner::Array { stride, .. } = self.shader.module.types[ty].inner else {
                    return Err("the length of what is no array".into());
                };
                let length = (self.memory.len(binding) - pointer.at) / u64::from(stride);
                Ok(Value::One(Scalar::U32(length as u32)))
            }
            ref other => {
                let shader = self.shader;
                shader.pure(other, &mut |operand| self.eval(frame, operand, lane))
            }
        }
    }

    fn global(&self, variable: Handle<naga::GlobalVariable>) -> Outcome<Value> {
        let global = &self.shader.module.global_variables[variable];
        let (space, at) = match (global.space, &global.binding) {
            (AddressSpace::WorkGroup, _) => (Space::Workgroup, self.offsets[&variable]),
            (AddressSpace::Uniform | AddressSpace::Storage { .. }, Some(binding)) => {
                (Space::Binding(binding.binding), 0)
            }
            (other, _) => return Err(format!("the interpreter does not know variables in {other:?}")),
        };
        Ok(Value::Pointer(Pointer { space, at, to: Pointee::Type(global.ty) }))
    }

    fn access(&self, base: Value, index: u32) -> Outcome<Value> {
        let place = index as usize;
        let outside = || format!("place {index} of a smaller value");
        match base {
            Value::Many(numbers) => numbers.get(place).map(|&number| Value::One(number)).ok_or_else(outside),
            Value::Parts(parts) => parts.into_iter().nth(place).ok_or_else(outside),
            Value::One(_) => Err("a place of a number".into()),
            Value::Pointer(pointer) => {
                let ty = match pointer.to {
                    Pointee::Type(ty) => ty,
                    Pointee::Column(size, scalar) if place < size as usize => {
                        let at = pointer.at + place as u64 * u64::from(scalar.width);
                        return Ok(Value::Pointer(Pointer { at, to: Pointee::Number(scalar), ..pointer }));
                    }
                    _ => return Err(outside()),
                };
                let (offset, to) = match &self.shader.module.types[ty].inner {
                    TypeInner::Vector { size, .. } if place >= *size as usize => return Err(outside()),
                    TypeInner::Vector { scalar, .. } => {
                        (place as u64 * u64::from(scalar.width), Pointee::Number(*scalar))
                    }
                    TypeInner::Matrix { columns, .. } if place >= *columns as usize => return Err(outside()),
                    TypeInner::Matrix { rows, scalar, .. } => {
                        let length = if *rows as u64 == 2 { 2 } else { 4 };
                        (place as u64 * length * u64::from(scalar.width), Pointee::Column(*rows, *scalar))
                    }
                    TypeInner::Array { size: ArraySize::Constant(size), .. } if index >= size.get() => {
                        return Err(outside());
                    }
                    TypeInner::Array { base, stride, .. } => (place as u64 * u64::from(*stride), Pointee::Type(*base)),
                    TypeInner::Struct { members, .. } => {
                        let member = members.get(place).ok_or_else(outside)?;
                        (member.offset.into(), Pointee::Type(member.ty))
                    }
                    other => return Err(format!("the interpreter does not know places of {other:?}")),
                };
                Ok(Value::Pointer(Pointer { at: pointer.at + offset, to, ..pointer }))
            }
        }
    }

    fn scalar_of(&self, to: Pointee) -> Outcome<naga::Scalar> {
        match to {
            Pointee::Number(scalar) | Pointee::Column(_, scalar) => Ok(scalar),
            Pointee::Type(ty) => match self.shader.module.types[ty].inner {
                TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => Ok(scalar),
                ref other => Err(format!("{other:?} is no number")),
            },
        }
    }

    /// The parts of what a pointer points to; `None` for a number.
    fn parts(&self, pointer: Pointer) -> Outcome<Option<Vec<Value>>> {
        let count = match pointer.to {
            Pointee::Number(_) => return Ok(None),
            Pointee::Column(size, _) => size as u32,
            Pointee::Type(ty) => match &self.shader.module.types[ty].inner {
                TypeInner::Scalar(_) | TypeInner::Atomic(_) => return Ok(None),
                TypeInner::Vector { size, .. } => *size as u32,
                TypeInner::Matrix { columns, .. } => *columns as u32,
                TypeInner::Array { size: ArraySize::Constant(size), .. } => size.get(),
                TypeInner::Struct { members, .. } => members.len() as u32,
                other => return Err(format!("the interpreter does not know values of {other:?}")),
            },
        };
        (0..count).map(|place| self.access(Value::Pointer(pointer), place)).collect::<Outcome<Vec<_>>>().map(Some)
    }

    fn is_vector(&self, to: Pointee) -> bool {
        match to {
            Pointee::Type(ty) => matches!(self.shader.module.types[ty].inner, TypeInner::Vector { .. }),
            Pointee::Column(..) => true,
            Pointee::Number(_) => false,
        }
    }

    fn read(&mut self, pointer: Pointer, lane: usize) -> Outcome<Value> {
        if let Some(parts) = self.parts(pointer)? {
            let parts = parts.into_iter().map(|part| match part {
                Value::Pointer(part) => self.read(part, lane),
                other => Ok(other),
            });
            let parts = parts.collect::<Outcome<Vec<_>>>()?;
            let is_vector = self.is_vector(pointer.to);
            return if is_vector {
                parts.iter().map(one).collect::<Outcome<_>>().map(Value::Many)
            } else {
                Ok(Value::Parts(parts))
            };
        }
        let (scalar, at) = (self.scalar_of(pointer.to)?, pointer.at as usize);
        let width = scalar.width as usize;
        let mut number = [0; 4];
        match pointer.space {
            Space::Binding(binding) => {
                number = self.memory.load(binding, pointer.at, width as u64, self.first + lane as u32)?;
            }
            Space::Workgroup => number[..width].copy_from_slice(&self.shared[at..at + width]),
            Space::Private => number[..width].copy_from_slice(&self.private[lane][at..at + width]),
        }
        from_bytes(number, scalar).map(Value::One)
    }

    fn write(&mut self, pointer: Pointer, value: &Value, lane: usize) -> Outcome<()> {
        if let Some(parts) = self.parts(pointer)? {
            for (place, part) in parts.into_iter().enumerate() {
                let Value::Pointer(part) = part else { return Err("a part that is no place".into()) };
                let number = match value {
                    Value::Many(numbers) => Value::One(numbers[place]),
                    Value::Parts(values) => values[place].clone(),
                    other => return Err(format!("{other:?} has no parts")),
                };
                self.write(part, &number, lane)?;
            }
            return Ok(());
        }
        let (width, at) = (self.scalar_of(pointer.to)?.width as usize, pointer.at as usize);
        let number = &bits(one(value)?).to_le_bytes()[..width];
        match pointer.space {
            Space::Binding(binding) => {
                self.memory.store(binding, pointer.at, number, self.first + lane as u32, false)?;
            }
            Space::Workgroup => self.shared[at..at + width].copy_from_slice(number),
            Space::Private => self.private[lane][at..at + width].copy_from_slice(number),
        }
        Ok(())
    }

    fn zero(&self, ty: Handle<Type>) -> Outcome<Value> {
        self.shader.zero(ty)
    }
}

impl Shader {
    fn zero(&self, ty: Handle<Type>) -> Outcome<Value> {
        Ok(match &self.module.types[ty].inner {
            TypeInner::Scalar(scalar) => Value::One(from_bytes([0; 4], *scalar)?),
            TypeInner::Vector { size, scalar } => Value::Many(vec![from_bytes([0; 4], *scalar)?; *size as usize]),
            TypeInner::Matrix { columns, rows, scalar } => {
                let column = Value::Many(vec![from_bytes([0; 4], *scalar)?; *rows as usize]);
                Value::Parts(vec![column; *columns as usize])
            }
            TypeInner::Array { base, size: ArraySize::Constant(size), .. } => {
                Value::Parts(vec![self.zero(*base)?; size.get() as usize])
            }
            TypeInner::Struct { members, .. } => {
                Value::Parts(members.iter().map(|member| self.zero(member.ty)).collect::<Outcome<_>>()?)
            }
            other => return Err(format!("the interpreter does not know zeros of {other:?}")),
        })
    }

    /// The value of an expression that depends on its operands alone.
    fn pure(
        &self,
        expression: &Expression,
        eval: &mut dyn FnMut(Handle<Expression>) -> Outcome<Value>,
    ) -> Outcome<Value> {
        match *expression {
            Expression::Literal(literal) => Ok(Value::One(match literal {
                Literal::U32(number) => Scalar::U32(number),
                Literal::I32(number) => Scalar::I32(number),
                Literal::F32(number) => Scalar::F32(number),
                Literal::F16(number) => Scalar::F16(f16::from_f32(number.to_f32())),
                Literal::Bool(truth) => Scalar::Bool(truth),
                other => return Err(format!("the interpreter does not know {other:?}")),
            })),
            Expression::Constant(constant) => self.constant(self.module.constants[constant].init),
            Expression::ZeroValue(ty) => self.zero(ty),
            Expression::Compose { ty, ref components } => {
                let parts = components.iter().map(|&component| eval(component)).collect::<Outcome<Vec<_>>>()?;
                if !matches!(self.module.types[ty].inner, TypeInner::Vector { .. }) {
                    return Ok(Value::Parts(parts));
                }
                Ok(Value::Many(parts.iter().flat_map(numbers).collect()))
            }
            Expression::Splat { size, value } => Ok(Value::Many(vec![one(&eval(value)?)?; size as usize])),
            Expression::Swizzle { size, vector, pattern } => {
                let numbers = numbers(&eval(vector)?);
                Ok(Value::Many(pattern[..size as usize].iter().map(|&place| numbers[place as usize]).collect()))
            }
            Expression::Unary { op, expr } => each(&[eval(expr)?], |numbers| unary(op, numbers[0])),
            Expression::Binary { op, left, right } => {
                each(&[eval(left)?, eval(right)?], |numbers| binary(op, numbers[0], numbers[1]))
            }
            Expression::Select { condition, accept, reject } => {
                let operands = [eval(condition)?, eval(accept)?, eval(reject)?];
                if let (Value::One(Scalar::Bool(truth)), true) = (&operands[0], matches!(operands[1], Value::Parts(_)))
                {
                    return Ok(operands[if *truth { 1 } else { 2 }].clone());
                }
                each(&operands, |numbers| Ok(numbers[if numbers[0] == Scalar::Bool(true) { 1 } else { 2 }]))
            }
            Expression::Relational { fun, argument } => {
                let is = |number: &Scalar| *number == Scalar::Bool(true);
                let numbers = numbers(&eval(argument)?);
                match fun {
                    RelationalFunction::All => Ok(Value::One(Scalar::Bool(numbers.iter().all(is)))),
                    RelationalFunction::Any => Ok(Value::One(Scalar::Bool(numbers.iter().any(is)))),
                    other => Err(format!("the interpreter does not know {other:?}")),
                }
            }
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                let operands =
                    [Some(arg), arg1, arg2, arg3].into_iter().flatten().map(eval).collect::<Outcome<Vec<_>>>()?;
                if fun == MathFunction::Dot {
                    let product = each(&operands, |numbers| binary(BinaryOperator::Multiply, numbers[0], numbers[1]))?;
                    let mut all = numbers(&product).into_iter();
                    let first = all.next().ok_or("a dot product of nothing")?;
                    return all.try_fold(first, |sum, number| binary(BinaryOperator::Add, sum, number)).map(Value::One);
                }
                each(&operands, |numbers| math(fun, numbers))
            }
            Expression::As { expr, kind, convert } => each(&[eval(expr)?], |numbers| cast(numbers[0], kind, convert)),
            ref other => Err(format!("the interpreter does not know the expression {other:?}")),
        }
    }

    fn constant(&self, expression: Handle<Expression>) -> Outcome<Value> {
        self.pure(&self.module.global_expressions[expression], &mut |operand| self.constant(operand))
    }
}

fn one(value: &Value) -> Outcome<Scalar> {
    if let Value::One(number) = value { Ok(*number) } else { Err(format!("{value:?} is no number")) }
}

fn numbers(value: &Value) -> Vec<Scalar> {
    match value {
        Value::One(number) => vec![*number],
        Value::Many(numbers) => numbers.clone(),
        Value::Parts(_) | Value::Pointer(_) => Vec::new(),
    }
}

/// Applies a function of numbers to vectors and to pairs of matrices, component by component. A number stands for a
/// vector whose components are that number.
fn each(operands: &[Value], function: impl Fn(&[Scalar]) -> Outcome<Scalar> + Copy) -> Outcome<Value> {
    if let [Value::Parts(left), Value::Parts(right)] = operands {
        let columns = left.iter().zip(right).map(|(left, right)| each(&[left.clone(), right.clone()], function));
        return columns.collect::<Outcome<_>>().map(Value::Parts);
    }
    let all: Vec<Vec<Scalar>> = operands.iter().map(numbers).collect();
    let at = |place: usize| -> Outcome<Scalar> {
        let numbers = all.iter().map(|numbers| numbers.get(place).or_else(|| numbers.first()).copied());
        function(&numbers.collect::<Option<Vec<_>>>().ok_or("an operand that is no number")?)
    };
    if operands.iter().all(|operand| matches!(operand, Value::One(_))) {
        return at(0).map(Value::One);
    }
    let length = all.iter().map(Vec::len).max().unwrap_or_default();
    (0..length).map(at).collect::<Outcome<Vec<_>>>().map(Value::Many)
}

fn bits(number: Scalar) -> u32 {
    match number {
        Scalar::U32(number) => number,
        Scalar::I32(number) => number as u32,
        Scalar::F32(number) => number.to_bits(),
        Scalar::F16(number) => number.to_bits().into(),
        Scalar::Bool(truth) => truth.into(),
    }
}

fn from_bytes(bytes: [u8; 4], scalar: naga::Scalar) -> Outcome<Scalar> {
    let bits = u32::from_le_bytes(bytes);
    Ok(match (scalar.kind, scalar.width) {
        (ScalarKind::Uint, 4) => Scalar::U32(bits),
        (ScalarKind::Sint, 4) => Scalar::I32(bits as i32),
        (ScalarKind::Float, 4) => Scalar::F32(f32::from_bits(bits)),
        (ScalarKind::Float, 2) => Scalar::F16(f16::from_bits(bits as u16)),
        (ScalarKind::Bool, _) => Scalar::Bool(bits & 1 == 1),
        other => return Err(format!("the interpreter does not know {other:?}")),
    })
}

fn cast(number: Scalar, kind: ScalarKind, convert: Option<naga::Bytes>) -> Outcome<Scalar> {
    let Some(width) = convert else {
        let width = if matches!(number, Scalar::F16(_)) { 2 } else { 4 };
        return from_bytes(bits(number).to_le_bytes(), naga::Scalar { kind, width });
    };
    let wide = match number {
        Scalar::U32(number) => f64::from(number),
        Scalar::I32(number) => f64::from(number),
        Scalar::F32(number) => f64::from(number),
        Scalar::F16(number) => f64::from(number),
        Scalar::Bool(truth) => f64::from(u8::from(truth)),
    };
    Ok(match (kind, width, number) {
        // Between integers the bits stay.
        (ScalarKind::Uint, 4, Scalar::I32(number)) => Scalar::U32(number as u32),
        (ScalarKind::Sint, 4, Scalar::U32(number)) => Scalar::I32(number as i32),
        (ScalarKind::Uint, 4, _) => Scalar::U32(wide as u32),
        (ScalarKind::Sint, 4, _) => Scalar::I32(wide as i32),
        (ScalarKind::Float, 4, _) => Scalar::F32(wide as f32),
        (ScalarKind::Float, 2, _) => Scalar::F16(f16::from_f64(wide)),
        (ScalarKind::Bool, ..) => Scalar::Bool(wide != 0.0),
        other => return Err(format!("the interpreter does not know a conversion to {other:?}")),
    })
}

fn unary(operator: UnaryOperator, number: Scalar) -> Outcome<Scalar> {
    Ok(match (operator, number) {
        (UnaryOperator::Negate, Scalar::I32(number)) => Scalar::I32(number.wrapping_neg()),
        (UnaryOperator::Negate, Scalar::F32(number)) => Scalar::F32(-number),
        (UnaryOperator::LogicalNot, Scalar::Bool(truth)) => Scalar::Bool(!truth),
        (UnaryOperator::BitwiseNot, Scalar::U32(number)) => Scalar::U32(!number),
        (UnaryOperator::BitwiseNot, Scalar::I32(number)) => Scalar::I32(!number),
        other => return Err(format!("the interpreter does not know {other:?}")),
    })
}

fn binary(operator: BinaryOperator, left: Scalar, right: Scalar) -> Outcome<Scalar> {
    use BinaryOperator as Op;
    use Scalar::{Bool, F32, I32, U32};
    macro_rules! compared {
        ($a:ident, $b:ident) => {
            match operator {
                Op::Equal => Some(Bool($a == $b)),
                Op::NotEqual => Some(Bool($a != $b)),
                Op::Less => Some(Bool($a < $b)),
                Op::LessEqual => Some(Bool($a <= $b)),
                Op::Greater => Some(Bool($a > $b)),
                Op::GreaterEqual => Some(Bool($a >= $b)),
                _ => None,
            }
        };
    }
    macro_rules! integers {
        ($kind:ident, $a:ident, $b:ident) => {
            match operator {
                Op::Add => Some($kind($a.wrapping_add($b))),
                Op::Subtract => Some($kind($a.wrapping_sub($b))),
                Op::Multiply => Some($kind($a.wrapping_mul($b))),
                Op::Divide => Some($kind($a.checked_div($b).unwrap_or($a))),
                Op::Modulo => Some($kind($a.checked_rem($b).unwrap_or(0))),
                Op::And => Some($kind($a & $b)),
                Op::InclusiveOr => Some($kind($a | $b)),
                Op::ExclusiveOr => Some($kind($a ^ $b)),
                _ => compared!($a, $b),
            }
        };
    }
    let value = match (left, right) {
        (U32(a), U32(b)) => match operator {
            Op::ShiftLeft => Some(U32(a.wrapping_shl(b))),
            Op::ShiftRight => Some(U32(a.wrapping_shr(b))),
            _ => integers!(U32, a, b),
        },
        (I32(a), U32(b)) => match operator {
            Op::ShiftLeft => Some(I32(a.wrapping_shl(b))),
            Op::ShiftRight => Some(I32(a.wrapping_shr(b))),
            _ => None,
        },
        (I32(a), I32(b)) => integers!(I32, a, b),
        (F32(a), F32(b)) => match operator {
            Op::Add => Some(F32(a + b)),
            Op::Subtract => Some(F32(a - b)),
            Op::Multiply => Some(F32(a * b)),
            Op::Divide => Some(F32(a / b)),
            Op::Modulo => Some(F32(a % b)),
            _ => compared!(a, b),
        },
        (Bool(a), Bool(b)) => match operator {
            Op::LogicalAnd | Op::And => Some(Bool(a && b)),
            Op::LogicalOr | Op::InclusiveOr => Some(Bool(a || b)),
            Op::Equal => Some(Bool(a == b)),
            Op::NotEqual | Op::ExclusiveOr => Some(Bool(a != b)),
            _ => None,
        },
        _ => None,
    };
    value.ok_or_else(|| format!("the interpreter does not know {left:?} {operator:?} {right:?}"))
}

fn math(function: MathFunction, numbers: &[Scalar]) -> Outcome<Scalar> {
    use MathFunction as Fun;
    use Scalar::{F32, I32, U32};
    let value = match (function, numbers) {
        (Fun::Min, [U32(a), U32(b)]) => U32(*a.min(b)),
        (Fun::Min, [I32(a), I32(b)]) => I32(*a.min(b)),
        (Fun::Min, [F32(a), F32(b)]) => F32(a.min(*b)),
        (Fun::Max, [U32(a), U32(b)]) => U32(*a.max(b)),
        (Fun::Max, [I32(a), I32(b)]) => I32(*a.max(b)),
        (Fun::Max, [F32(a), F32(b)]) => F32(a.max(*b)),
        (Fun::Clamp, [U32(a), U32(low), U32(high)]) => U32(*a.max(low).min(high)),
        (Fun::Clamp, [I32(a), I32(low), I32(high)]) => I32(*a.max(low).min(high)),
        (Fun::Clamp, [F32(a), F32(low), F32(high)]) => F32(a.max(*low).min(*high)),
        (Fun::Abs, [I32(a)]) => I32(a.wrapping_abs()),
        (Fun::Abs, [F32(a)]) => F32(a.abs()),
        (Fun::Sign, [F32(a)]) => F32(if *a == 0.0 { 0.0 } else { a.signum() }),
        (Fun::Exp, [F32(a)]) => F32(a.exp()),
        (Fun::Exp2, [F32(a)]) => F32(a.exp2()),
        (Fun::Log2, [F32(a)]) => F32(a.log2()),
        (Fun::Sqrt, [F32(a)]) => F32(a.sqrt()),
        (Fun::Pow, [F32(a), F32(b)]) => F32(a.powf(*b)),
        (Fun::Round, [F32(a)]) => F32(a.round_ties_even()),
        (Fun::Floor, [F32(a)]) => F32(a.floor()),
        (Fun::Fma, [F32(a), F32(b), F32(c)]) => F32(a.mul_add(*b, *c)),
        _ => return Err(format!("the interpreter does not know {function:?} of {numbers:?}")),
    };
    Ok(value)
}
