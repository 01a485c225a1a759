//! A picture as a list of positioned shapes, from which both SVG and PNG are rendered.
//!
//! Lengths are whole pixels, measured from the top left corner.

use super::{Colour, font};

/// The shapes on a page; later shapes cover earlier ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) shapes: Vec<Shape>,
}

/// One shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// What the shape shows, e.g. `cell`; its class in SVG.
    pub(super) class: &'static str,
    pub(super) area: Area,
    pub(super) colour: Colour,
    pub(super) form: Form,
}

/// How a shape fills its area.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// Filled completely.
    Full,
    /// A border of this thickness along the inside of the area.
    Frame(usize),
    /// Text, and the width of a dot; a character takes [`font::ADVANCE`] dots.
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
    /// The area without a border of `by` pixels on each side.
    pub(super) fn shrunk(self, by: usize) -> Self {
        let length = |length: usize| length.saturating_sub(2 * by);
        let (width, height) = (length(self.width), length(self.height));
        Self { x: self.x + by, y: self.y + by, width, height }
    }
}

impl Scene {
    /// Adds a shape.
    pub(super) fn add(&mut self, class: &'static str, area: Area, colour: Colour, form: Form) {
        self.shapes.push(Shape { class, area, colour, form });
    }

    /// Adds text with its top left corner at `(x, y)` and dots that are `dot` wide; does
    /// nothing if the text is empty.
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

/// Width of a text whose dots are `dot` wide.
pub(super) fn text_width(text: &str, dot: usize) -> usize {
    (text.chars().count() * font::ADVANCE).saturating_sub(1) * dot
}
