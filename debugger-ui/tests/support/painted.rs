//! A frame taken apart: what egui was asked to paint, shape by shape, each with the rectangle that it may be seen in.

use egui::epaint::ClippedShape;
use egui::{Rect, Shape};

/// All shapes, in the order of painting; those that hold others are replaced by what they hold.
pub fn shapes(frame: &[ClippedShape]) -> Vec<(&Shape, Rect)> {
    let mut shapes = Vec::new();
    frame.iter().for_each(|clipped| flatten(&clipped.shape, clipped.clip_rect, &mut shapes));
    shapes
}

fn flatten<'a>(shape: &'a Shape, clip: Rect, shapes: &mut Vec<(&'a Shape, Rect)>) {
    match shape {
        Shape::Vec(parts) => parts.iter().for_each(|part| flatten(part, clip, shapes)),
        shape => shapes.push((shape, clip)),
    }
}
