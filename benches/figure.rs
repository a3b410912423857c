//! `--figure`: what `--quick --json` and the peers' program wrote, as one picture with a row for each problem and a dot
//! for each contestant.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde_json::Value;

use crate::problems::named;

/// Whose code ran. The colour and the shape of a mark show it; a filled mark is a time on the GPU, an open one on the
/// CPU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Contestant {
    Upconv,
    Burn,
    PyTorch,
    /// Our plain recipe, for a problem that a later file has another recipe for.
    Plain,
}

impl Contestant {
    const ALL: [Self; 4] = [Self::Upconv, Self::Burn, Self::PyTorch, Self::Plain];

    fn of_peer(name: &str) -> Result<Self, String> {
        match name.split(' ').next() {
            Some("burn") => Ok(Self::Burn),
            Some("PyTorch") => Ok(Self::PyTorch),
            _ => Err(format!("the figure has no mark for \"{name}\"")),
        }
    }

    /// One of Okabe and Ito's colours, which colour-blind readers can tell apart.
    fn colour(self) -> RGBColor {
        match self {
            Self::Upconv => RGBColor(0, 114, 178),
            Self::Burn => RGBColor(213, 94, 0),
            Self::PyTorch => RGBColor(0, 158, 115),
            Self::Plain => RGBColor(100, 100, 100),
        }
    }

    fn corners(self) -> &'static [(i32, i32)] {
        match self {
            Self::Upconv => &[],
            Self::Burn => &[(0, -7), (7, 5), (-7, 5)],
            Self::PyTorch => &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
            Self::Plain => &[(0, -7), (7, 0), (0, 7), (-7, 0)],
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Gpu,
    Cpu,
}

/// The times of one contestant in milliseconds, by the index of the problem in `named()`.
struct Series {
    name: String,
    times: BTreeMap<usize, f64>,
}

#[derive(Default)]
struct Contest {
    series: BTreeMap<(Place, Contestant), Series>,
    /// The GPU, once a file has named one.
    gpu: Option<String>,
    /// The recipe of `--quick` that was read last for a problem, and its time in milliseconds.
    recipes: BTreeMap<usize, (String, f64)>,
    /// Problems whose time of ours on the GPU is from `--quick`, which uses the device's clock if it has one.
    by_device: BTreeSet<usize>,
}

impl Contest {
    fn put(&mut self, who: (Place, Contestant), name: &str, problem: usize, time: f64) {
        let series = self.series.entry(who).or_insert_with(|| Series { name: String::new(), times: BTreeMap::new() });
        series.name = name.into();
        series.times.insert(problem, time);
    }

    fn read(&mut self, path: &Path) -> Result<(), String> {
        let message = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| message(error.to_string()))?;
        let rows: Vec<Value> = serde_json::from_str(&text).map_err(|error| message(error.to_string()))?;
        rows.iter()
            .enumerate()
            .try_for_each(|(at, row)| self.add(row).map_err(|e| message(format!("row {}: {e}", at + 1))))
    }

    fn add(&mut self, row: &Value) -> Result<(), String> {
        let name = row["problem"].as_str().ok_or("no \"problem\"")?;
        let known = named().into_iter().position(|(known, _)| known == name);
        let problem = known.ok_or_else(|| format!("there is no problem {name}"))?;
        let place = match row["device"].as_str() {
            None | Some("CPU") => Place::Cpu,
            Some(device) => {
                let before = self.gpu.get_or_insert_with(|| device.into());
                if before != device {
                    return Err(format!("measured on {device}, and what was read before on {before}"));
                }
                Place::Gpu
            }
        };
        let ours = |place| if place == Place::Gpu { "upconv" } else { "upconv::cpu" };
        let time = |key: &str| match &row[key] {
            Value::Null => Ok(None),
            value => value.as_f64().filter(|time| *time > 0.0).map(Some).ok_or(format!("\"{key}\" is {value}")),
        };
        if let Some(peer) = row["peer"].as_str() {
            let needed = |key: &str| time(key)?.ok_or(format!("no \"{key}\""));
            self.put((place, Contestant::of_peer(peer)?), peer, problem, needed("peer_ms")?);
            self.put((place, Contestant::Upconv), ours(place), problem, needed("ours_ms")?);
            if place == Place::Gpu {
                self.by_device.remove(&problem);
            }
            return Ok(());
        }
        let (on_gpu, on_cpu) = (time("gpu_ms")?, time("cpu_ms")?);
        if on_gpu.or(on_cpu).is_none() {
            return Err("neither a peer's times nor \"gpu_ms\" or \"cpu_ms\"".into());
        }
        if let Some(time) = on_gpu {
            let recipe = row["recipe"].as_str().unwrap_or_default().to_string();
            let plain = |recipe: &str| ["conv_transpose_gather", "conv_direct"].iter().any(|it| recipe.starts_with(it));
            if let Some((before, last)) = self.recipes.insert(problem, (recipe.clone(), time))
                && before != recipe
                && plain(&before)
            {
                self.put((Place::Gpu, Contestant::Plain), "upconv, one output a thread", problem, last);
            }
            self.put((Place::Gpu, Contestant::Upconv), ours(Place::Gpu), problem, time);
            self.by_device.insert(problem);
        }
        if let Some(time) = on_cpu {
            self.put((Place::Cpu, Contestant::Upconv), ours(Place::Cpu), problem, time);
        }
        Ok(())
    }

    fn has(&self, place: Place) -> bool {
        self.series.keys().any(|key| key.0 == place)
    }

    fn title(&self) -> String {
        let gpu = self.gpu.as_deref().filter(|_| self.has(Place::Gpu));
        let places: Vec<_> = gpu.into_iter().chain(self.has(Place::Cpu).then_some("the CPU")).collect();
        format!("Time of one run on {}", places.join(" and on "))
    }

    /// A sentence about the clocks that measured the GPU's times; `None` if no peer was measured on the GPU.
    fn clocks(&self) -> Option<String> {
        let of = |who| self.series.get(&(Place::Gpu, who));
        of(Contestant::Burn).or(of(Contestant::PyTorch))?;
        let mut by_device = Vec::new();
        match self.by_device.len() {
            0 => {}
            some if of(Contestant::Upconv).is_some_and(|ours| ours.times.len() == some) => {
                by_device.push("upconv".into())
            }
            1..4 => {
                let names: Vec<_> = self.by_device.iter().map(|problem| named()[*problem].0).collect();
                by_device.push(format!("upconv on {}", names.join(", ")));
            }
            some => by_device.push(format!("upconv on {some} of the problems")),
        }
        by_device.extend(of(Contestant::Plain).map(|_| "one output a thread".to_string()));
        let begin = "GPU times are as the host saw them";
        Some(match by_device.is_empty() {
            true => format!("{begin}."),
            false => format!("{begin}; by the GPU's clock, if it has one: {}.", by_device.join("; ")),
        })
    }
}

/// Reads the files in their order and draws.
pub fn draw(path: &Path, inputs: &[impl AsRef<Path>]) -> Result<(), String> {
    let mut contest = Contest::default();
    inputs.iter().try_for_each(|input| contest.read(input.as_ref()))?;
    if contest.series.is_empty() {
        return Err("no times to draw in the files that --figure was given".into());
    }
    let svg = svg(&contest).map_err(|error| error.to_string())?;
    std::fs::write(path, svg).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<T = ()> = Result<T, Box<dyn Error>>;

const WIDTH: i32 = 900;
/// Pixels left of the chart: room for the longest name of a problem.
const LEFT: i32 = 152;
const RIGHT: i32 = 30;
const ROW: i32 = 28;
const INK: RGBColor = RGBColor(34, 34, 34);
const DECADE: RGBColor = RGBColor(186, 186, 186);
const FAINT: RGBColor = RGBColor(232, 232, 232);
const BAND: RGBColor = RGBColor(246, 246, 246);

fn svg(contest: &Contest) -> Drawn<String> {
    let rows: BTreeSet<_> = contest.series.values().flat_map(|series| series.times.keys().copied()).collect();
    let times: Vec<_> = contest.series.values().flat_map(|series| series.times.values().copied()).collect();
    let (least, most) = times.iter().fold((f64::MAX, 0f64), |(least, most), time| (least.min(*time), most.max(*time)));
    // The axis ends a little beyond the times, or at a power of ten that is near.
    let near = |time: f64, decade: f64| if (time / decade).log2().abs() < 1.0 { decade } else { time };
    let decade = |exponent: f64| 10f64.powi(exponent as i32);
    let least = near(least / 1.3, decade((least / 1.3).log10().floor()));
    let most = near(most * 1.3, decade((most * 1.3).log10().ceil()));
    let places: Vec<_> = [Place::Gpu, Place::Cpu].into_iter().filter(|place| contest.has(*place)).collect();
    let top = 48 + 22 * places.len() as i32;
    let bottom = top + ROW * rows.len() as i32;
    let clocks = contest.clocks();
    let height = bottom + 54 + clocks.iter().len() as i32 * 20;

    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut bold = words(19, HPos::Left);
    bold.font = bold.font.style(FontStyle::Bold);
    area.draw(&Text::new(contest.title(), (LEFT, 20), bold))?;
    legend(&area, contest, &places)?;
    let chart = ChartBuilder::on(&area)
        .margin_top(top)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .margin_bottom(height - bottom)
        .build_cartesian_2d((least..most).log_scale(), 0..ROW * rows.len() as i32)?;
    let across = |time: f64| chart.backend_coord(&(time, 0)).0;

    for at in (0..rows.len() as i32).step_by(2) {
        let band = [(LEFT, top + at * ROW), (WIDTH - RIGHT, top + (at + 1) * ROW)];
        area.draw(&Rectangle::new(band, BAND.filled()))?;
    }
    // Less than two decades have too few powers of ten to read a time by: 2 and 5 are labelled too.
    let close = most / least < 100.0;
    let decades = least.log10().floor() as i32..=most.log10().floor() as i32;
    let lines = decades.flat_map(|decade| (1..10).map(move |digit| (digit, decade)));
    let placed = lines.map(|(digit, decade)| (digit, decade, f64::from(digit) * 10f64.powi(decade)));
    let (lines, ones): (Vec<_>, Vec<_>) =
        placed.filter(|line| (least..=most).contains(&line.2)).partition(|line| line.0 != 1);
    for (digit, decade, time) in lines.into_iter().chain(ones) {
        let colour = if digit == 1 { DECADE } else { FAINT };
        area.draw(&PathElement::new([(across(time), top), (across(time), bottom)], colour))?;
        if digit == 1 || close && matches!(digit, 2 | 5) {
            let number = format!("{time:.*}", usize::try_from(-decade).unwrap_or(0));
            area.draw(&Text::new(number, (across(time), bottom + 12), words(16, HPos::Center)))?;
        }
    }
    area.draw(&Rectangle::new([(LEFT, top), (WIDTH - RIGHT, bottom)], DECADE))?;
    let axis = "milliseconds, on a logarithmic scale; further left is faster";
    area.draw(&Text::new(axis, ((LEFT + WIDTH - RIGHT) / 2, bottom + 34), words(16, HPos::Center)))?;
    if let Some(clocks) = clocks {
        area.draw(&Text::new(clocks, (LEFT, bottom + 56), words(14, HPos::Left)))?;
    }

    for (at, problem) in rows.iter().enumerate() {
        let middle = top + at as i32 * ROW + ROW / 2;
        area.draw(&Text::new(named()[*problem].0, (LEFT - 8, middle), words(16, HPos::Right)))?;
        // Ours is drawn last, on top of the others.
        for ((place, who), series) in contest.series.iter().rev() {
            if let Some(time) = series.times.get(problem) {
                let lane = if places.len() == 1 { 0 } else { 6 };
                let up = if *place == Place::Gpu { -lane } else { lane };
                mark(&area, (across(*time), middle + up), *who, *place)?;
            }
        }
    }
    area.present()?;
    drop((chart, area));
    Ok(text)
}

/// A line for the GPU and a line for the CPU; a contestant's names on both begin at the same place.
fn legend(area: &Area, contest: &Contest, places: &[Place]) -> Drawn {
    for (line, place) in places.iter().enumerate() {
        let middle = 48 + 22 * line as i32;
        let head = if *place == Place::Gpu { "on the GPU" } else { "on the CPU" };
        area.draw(&Text::new(head, (LEFT - 8, middle), words(16, HPos::Right)))?;
        let mut left = LEFT + 8;
        for who in Contestant::ALL {
            let name = |place| contest.series.get(&(place, who)).map(|series| series.name.as_str());
            if let Some(name) = name(*place) {
                mark(area, (left, middle), who, *place)?;
                area.draw(&Text::new(name.to_string(), (left + 13, middle), words(16, HPos::Left)))?;
            }
            let letters = [Place::Gpu, Place::Cpu].into_iter().filter_map(name).map(str::len).max();
            left += letters.map_or(0, |letters| 40 + letters as i32 * 15 / 2);
        }
    }
    Ok(())
}

/// Filled marks are translucent, as two marks may be in one place.
fn mark(area: &Area, at: (i32, i32), who: Contestant, place: Place) -> Drawn {
    let corners: Vec<_> = who.corners().iter().map(|corner| (at.0 + corner.0, at.1 + corner.1)).collect();
    let filled = place == Place::Gpu;
    let fill = who.colour().mix(if filled { 0.75 } else { 0.0 }).filled();
    let line = who.colour().stroke_width(if filled { 1 } else { 2 });
    if corners.is_empty() {
        area.draw(&Circle::new(at, 6, fill))?;
        area.draw(&Circle::new(at, 6, line))?;
    } else {
        // The outline goes past the first corner once more, so that its ends are joined like the other corners.
        let outline = [&corners[..], &corners[..2]].concat();
        area.draw(&Polygon::new(corners, fill))?;
        area.draw(&PathElement::new(outline, line))?;
    }
    Ok(())
}

fn words(size: u32, across: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_text_style(&(0, 0)).color(&INK).pos(Pos::new(across, VPos::Center))
}
