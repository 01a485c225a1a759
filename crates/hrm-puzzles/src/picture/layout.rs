//! The positions of everything on a page, in pixels.

use super::scene::{Area, Form, Scene, text_width};
use super::{Colour, Panel, Picture, PuzzlePicture, font};
use crate::clipped;

/// Space between the contents and the edges of the page.
const MARGIN: usize = 20;
/// Space between puzzles: larger than `GAP`, so that the panels of a puzzle form a group.
const APART: usize = 40;
/// Space between the panels of a puzzle.
const GAP: usize = 16;
/// Width of a dot in titles, captions and headings.
const DOT: usize = 2;
/// Height of a line of text.
const LINE: usize = (font::HEIGHT + font::DESCENT) * DOT + 4;
/// Approximate length of the longer side of a panel.
const PANEL: usize = 240;
/// Limits of the distance from one cell to the next.
const CELL_MIN: usize = 9;
const CELL_MAX: usize = 40;
/// Thickness of lines between cells.
const THIN: usize = 1;
/// Thickness of lines between boxes.
const THICK: usize = 3;

const PAPER: Colour = [255, 255, 255];
const INK: Colour = [30, 30, 30];
const FAINT: Colour = [110, 110, 110];
const WRONG: Colour = [214, 0, 0];

/// Lays out all puzzles on one page, in rows and columns.
pub(super) fn scene(picture: &Picture) -> Scene {
    let tiles: Vec<Tile<'_>> = picture.puzzles.iter().map(Tile::new).collect();
    let n_columns = picture.n_columns.unwrap_or_else(|| n_columns(&tiles)).max(1);
    let column = tiles.iter().map(Tile::width).max().unwrap_or(0) + APART;
    let n_used = n_columns.min(tiles.len());
    let columns = (n_used * column).saturating_sub(APART);
    let width = columns.max(text_width(&picture.title, DOT)) + 2 * MARGIN;

    let mut scene = Scene { width, ..Scene::default() };
    // The background. Its height is set once all puzzles are placed.
    let page = Area { x: 0, y: 0, width, height: 0 };
    scene.add("page", page, PAPER, Form::Full);
    let mut y = MARGIN;
    scene.write("title", (MARGIN, y), (&picture.title, DOT), INK);
    if !picture.title.is_empty() {
        y += LINE + MARGIN / 2;
    }
    for row in tiles.chunks(n_columns) {
        for (idx, tile) in row.iter().enumerate() {
            tile.place(&mut scene, (MARGIN + idx * column, y));
        }
        y += row.iter().map(Tile::height).max().unwrap_or(0) + APART / 2;
    }
    scene.height = y + MARGIN / 2;
    scene.shapes[0].area.height = scene.height;
    scene
}

/// The smallest number of columns with which the page is wider than high, by 4 to 3 or more.
fn n_columns(tiles: &[Tile<'_>]) -> usize {
    let width = tiles.iter().map(Tile::width).max().unwrap_or(0) + APART;
    let height = tiles.iter().map(Tile::height).max().unwrap_or(0) + APART / 2;
    let is_wide = |n: &usize| 3 * n * width >= 4 * tiles.len().div_ceil(*n) * height;
    (1..tiles.len()).find(is_wide).unwrap_or(tiles.len())
}

/// A puzzle and the sizes of its panels.
struct Tile<'a> {
    caption: String,
    panels: Vec<(&'a Panel, Grid)>,
}

impl<'a> Tile<'a> {
    fn new(puzzle: &'a PuzzlePicture) -> Self {
        let sides = puzzle.panels.iter().map(|panel| panel.n_rows().max(panel.n_cols()));
        // The same cell size for all panels, so that they can be compared.
        let cell = (PANEL / sides.max().unwrap_or(0).max(1)).clamp(CELL_MIN, CELL_MAX);
        let panels = puzzle.panels.iter().map(|panel| (panel, Grid::new(panel, cell)));
        Self { caption: clipped(&puzzle.caption), panels: panels.collect() }
    }

    fn width(&self) -> usize {
        let slots: usize = self.panels.iter().map(slot_width).sum();
        let gaps = GAP * self.panels.len().saturating_sub(1);
        (slots + gaps).max(text_width(&self.caption, DOT))
    }

    fn height(&self) -> usize {
        let tallest = self.panels.iter().map(|(_, grid)| grid.height()).max().unwrap_or(0);
        self.top() + tallest
    }

    /// Height of caption and headings, below which the panels begin.
    fn top(&self) -> usize {
        let has_headings = self.panels.iter().any(|(panel, _)| !panel.heading.is_empty());
        let n_lines = usize::from(!self.caption.is_empty()) + usize::from(has_headings);
        n_lines * LINE
    }

    fn place(&self, scene: &mut Scene, (x, y): (usize, usize)) {
        scene.write("caption", (x, y), (&self.caption, DOT), INK);
        let top = y + self.top();
        let mut left = x;
        for slot in &self.panels {
            let (panel, grid) = slot;
            scene.write("heading", (left, top - LINE.min(top)), (&panel.heading, DOT), FAINT);
            grid.place(scene, panel, (left, top));
            left += slot_width(slot) + GAP;
        }
    }
}

/// Width of a panel and its heading.
fn slot_width((panel, grid): &(&Panel, Grid)) -> usize {
    grid.width().max(text_width(&panel.heading, DOT))
}

/// The positions of a panel's cells, relative to its top left corner.
struct Grid {
    /// Distance from one cell to the next, including a thin line.
    pitch: usize,
    /// Left edges of the cells, and the right edge of the panel.
    xs: Vec<usize>,
    /// Upper edges of the cells, and the lower edge of the panel.
    ys: Vec<usize>,
}

impl Grid {
    fn new(panel: &Panel, pitch: usize) -> Self {
        let edges = |n: usize, per_box: Option<usize>| {
            let line = if per_box.is_some() { THICK } else { THIN };
            let edge = |idx: usize| {
                // A thick line replaces a thin one.
                let n_thick = per_box.map_or(0, |per_box| idx / per_box.max(1));
                line + idx * pitch + n_thick * (line - THIN)
            };
            (0..=n).map(edge).collect()
        };
        let (rows, cols) = (panel.boxes.map(|boxes| boxes.0), panel.boxes.map(|boxes| boxes.1));
        Self { pitch, xs: edges(panel.n_cols(), cols), ys: edges(panel.n_rows(), rows) }
    }

    fn width(&self) -> usize {
        self.xs.last().copied().unwrap_or(0)
    }

    fn height(&self) -> usize {
        self.ys.last().copied().unwrap_or(0)
    }

    fn place(&self, scene: &mut Scene, panel: &Panel, (x, y): (usize, usize)) {
        let whole = Area { x, y, width: self.width(), height: self.height() };
        scene.add("panel", whole, panel.lines, Form::Full);
        let side = self.pitch - THIN;
        let mark = (side / 8).max(1);
        // A symbol is about six tenths as high as its cell.
        let dot = (side * 6 / 10 / font::HEIGHT).max(1);
        for (idx, cell) in panel.cells().iter().enumerate() {
            let (row, col) = (idx / panel.n_cols(), idx % panel.n_cols());
            let area = Area { x: x + self.xs[col], y: y + self.ys[row], width: side, height: side };
            scene.add("cell", area, cell.fill, Form::Full);
            if cell.is_wrong {
                scene.add("wrong", area, WRONG, Form::Frame(mark));
                scene.add("rim", area.shrunk(mark), PAPER, Form::Frame(1));
            }
            if let Some(symbol) = cell.symbol {
                let centred = |start: usize, length: usize| start + (side - length) / 2;
                let at = (centred(area.x, font::WIDTH * dot), centred(area.y, font::HEIGHT * dot));
                scene.write("symbol", at, (symbol.encode_utf8(&mut [0; 4]), dot), cell.ink);
            }
        }
    }
}
