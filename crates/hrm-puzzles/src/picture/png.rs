//! Renders a scene as PNG.

use super::scene::{Area, Form, Scene, Shape};
use super::{Colour, font};
use crate::PuzzleError;

/// Largest number of pixels of a PNG: 64 Mi, which take 192 MiB of memory.
pub const N_PIXELS_MAX: usize = 1 << 26;

/// Encodes a scene as a complete PNG file.
///
/// # Errors
///
/// [`PuzzleError::PictureSize`] if it has more than [`N_PIXELS_MAX`] pixels.
pub(super) fn encode(scene: &Scene) -> Result<Vec<u8>, PuzzleError> {
    let Scene { width, height, shapes } = scene;
    let (width, height) = (*width, *height);
    let too_large = || PuzzleError::PictureSize { width, height, n_pixels_max: N_PIXELS_MAX };
    let n_pixels = width.checked_mul(height).filter(|n| *n <= N_PIXELS_MAX);
    n_pixels.ok_or_else(too_large)?;

    let mut canvas = Canvas::new(width, height);
    for shape in shapes {
        canvas.draw(shape);
    }
    const IN_MEMORY: &str = "a page has at least a pixel, and is written to memory";
    let mut bytes = Vec::new();
    // The limit on pixels ensures that both sides fit into `u32`.
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect(IN_MEMORY);
    writer.write_image_data(canvas.pixels.as_flattened()).expect(IN_MEMORY);
    writer.finish().expect(IN_MEMORY);
    Ok(bytes)
}

/// The pixels of a page, row by row.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[255; 3]; width * height] }
    }

    fn draw(&mut self, shape: &Shape) {
        let Shape { area, colour, form, .. } = shape;
        match form {
            Form::Full => self.fill(*area, *colour),
            Form::Frame(thickness) => {
                let Area { x, y, width, height } = *area;
                let (across, down) = (*thickness.min(&width), *thickness.min(&height));
                self.fill(Area { height: down, ..*area }, *colour);
                self.fill(Area { y: y + height - down, height: down, ..*area }, *colour);
                self.fill(Area { width: across, ..*area }, *colour);
                self.fill(Area { x: x + width - across, width: across, ..*area }, *colour);
            }
            Form::Text(text, dot) => {
                for (idx, symbol) in text.chars().enumerate() {
                    let left = area.x + idx * font::ADVANCE * dot;
                    for (col, row) in font::dots(symbol) {
                        let (x, y) = (left + col * dot, area.y + row * dot);
                        self.fill(Area { x, y, width: *dot, height: *dot }, *colour);
                    }
                }
            }
        }
    }

    /// Paints the part of an area that lies on the page.
    fn fill(&mut self, area: Area, colour: Colour) {
        let columns = area.x.min(self.width)..(area.x + area.width).min(self.width);
        for y in area.y.min(self.height)..(area.y + area.height).min(self.height) {
            self.pixels[y * self.width..][columns.clone()].fill(colour);
        }
    }
}
