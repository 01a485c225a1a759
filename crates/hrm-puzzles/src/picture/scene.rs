//! A picture as shapes at their places: what SVG and PNG both are made from.
//!
//! Lengths are whole units from the top left corner; a pixel of a PNG and a
//! pixel of an SVG at its natural size are one unit.

use super::{Colour, font};

/// Shapes, later ones over earlier ones, on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) shapes: Vec<Shape>,
}

/// One shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// What it is of: its class in SVG.
    pub(super) class: &'static str,
    pub(super) area: Area,
    pub(super) colour: Colour,
    pub(super) form: Form,
}

/// How a shape fills its area.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// All of it.
    Full,
    /// A border of this thickness.
    Frame(usize),
    /// Characters, [`font::ADVANCE`] dots each, a dot being this wide.
    Text(String, usize),
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Area {
    /// Without a border of `by` on each side.
    pub(super) fn shrunk(self, by: usize) -> Self {
        let length = |length: usize| length.saturating_sub(2 * by);
        let (width, height) = (length(self.width), length(self.height));
        Self { x: self.x + by, y: self.y + by, width, height }
    }
}

impl Scene {
    /// Adds a full or framed area.
    pub(super) fn add(&mut self, class: &'static str, area: Area, colour: Colour, form: Form) {
        self.shapes.push(Shape { class, area, colour, form });
    }

    /// Adds text with its top left corner at `(x, y)`; nothing if it is empty.
    pub(super) fn write(
        &mut self,
        class: &'static str,
        (x, y): (usize, usize),
        (text, dot): (&str, usize),
        colour: Colour,
    ) {
        if !text.is_empty() {
            let area = Area {
                x,
                y,
                width: text_width(text, dot),
                height: (font::HEIGHT + font::DESCENT) * dot,
            };
            self.add(class, area, colour, Form::Text(text.to_owned(), dot));
        }
    }
}

/// The width of a text whose dots are `dot` wide.
pub(super) fn text_width(text: &str, dot: usize) -> usize {
    (text.chars().count() * font::ADVANCE).saturating_sub(1) * dot
}
