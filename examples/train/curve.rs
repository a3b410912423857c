//! The loss of each step as a curve.

use std::path::Path;

use plotters::prelude::*;

/// Steps that the thick line is the mean of.
const WINDOW: usize = 100;

const POINTS: RGBColor = RGBColor(196, 210, 222);
const LINE: RGBColor = RGBColor(0, 114, 178);

/// Draws mean squared errors, as decibels of PSNR: higher is better.
pub fn draw(path: &Path, losses: &[f32]) -> Result<(), String> {
    let text = svg(losses).map_err(|error| error.to_string())?;
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn svg(losses: &[f32]) -> Result<String, Box<dyn std::error::Error>> {
    let decibels = |loss: f64| -10.0 * loss.max(1e-12).log10();
    let points: Vec<_> = (1..).zip(losses).map(|(step, &loss)| (step, decibels(loss.into()))).collect();
    let mean = |window: &[f32]| decibels(window.iter().map(|&loss| f64::from(loss)).sum::<f64>() / window.len() as f64);
    let line: Vec<_> =
        (1..=losses.len()).map(|step| (step, mean(&losses[step.saturating_sub(WINDOW)..step]))).collect();
    let values = || points.iter().map(|point| point.1);
    let (low, high) = (values().fold(f64::MAX, f64::min).floor(), values().fold(f64::MIN, f64::max).ceil());

    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (760, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("PSNR of the training crops", ("sans-serif", 18))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(1..losses.len().max(2), low..high)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(format!("step; the line is the mean of the last {WINDOW}"))
        .y_desc("PSNR in dB")
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 15))
        .draw()?;
    chart.draw_series(points.iter().map(|&point| Circle::new(point, 2, POINTS.filled())))?;
    chart.draw_series(LineSeries::new(line, LINE.stroke_width(2)))?;
    area.present()?;
    drop(chart);
    drop(area);
    Ok(text)
}
