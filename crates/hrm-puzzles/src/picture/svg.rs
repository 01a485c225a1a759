//! Renders a scene as SVG.

use std::fmt::Write;

use super::scene::{Form, Scene, Shape};
use super::{Colour, font};

/// Formats a scene as a complete SVG file.
pub(super) fn write(scene: &Scene) -> String {
    let Scene { width, height, shapes } = scene;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <style>text{{font-family:ui-monospace,Menlo,Consolas,monospace;\
         text-anchor:middle;white-space:pre}}</style>\n"
    );
    for shape in shapes {
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "{}", element(shape));
    }
    svg.push_str("</svg>\n");
    svg
}

fn element(shape: &Shape) -> String {
    let Shape { class, area, colour, form } = shape;
    let colour = hex(*colour);
    let rect = |x: f64, y: f64, width: f64, height: f64, paint: &str| {
        format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             {paint}/>"
        )
    };
    let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(|n| n as f64);
    match form {
        Form::Full => rect(x, y, width, height, &format!("fill=\"{colour}\"")),
        Form::Frame(thickness) => {
            // A stroke lies half inside and half outside of its rectangle.
            let (t, half) = (*thickness as f64, *thickness as f64 / 2.0);
            let paint = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{thickness}\"");
            rect(x + half, y + half, width - t, height - t, &paint)
        }
        Form::Text(text, dot) => {
            // In common monospaced fonts, capitals are about 0.7 times as high as the font
            // size and characters 0.6 times as wide, which matches 7 dots in height and an
            // advance of 6.
            let size = font::HEIGHT * dot * 10 / 7;
            let (middle, baseline) = (x + width / 2.0, y + (font::HEIGHT * dot) as f64);
            // Keeps text in a wider font from overlapping its neighbours.
            let fit = match text.chars().count() {
                1 => String::new(),
                _ => format!(" textLength=\"{width}\""),
            };
            format!(
                "<text class=\"{class}\" x=\"{middle}\" y=\"{baseline}\" font-size=\"{size}\" \
                 fill=\"{colour}\"{fit}>{}</text>",
                escaped(text)
            )
        }
    }
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Escapes text for XML; characters that XML does not allow become `U+FFFD`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            symbol => escaped.push(symbol),
        }
    }
    escaped
}
