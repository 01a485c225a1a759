//! Tests of whole pictures: both formats are rendered and parsed again.

use proptest::prelude::*;

use super::layout::scene;
use super::scene::{Area, Form, Scene};
use super::*;

/// A chequered panel whose cells are marked as wrong where `is_wrong` says so.
fn panel(n_rows: usize, n_cols: usize, is_wrong: fn(usize, usize) -> bool) -> Panel {
    Panel::from_fn("heading", (n_rows, n_cols), |row, col| Cell {
        is_wrong: is_wrong(row, col),
        ..Cell::plain(if (row + col) % 2 == 0 { [1, 2, 3] } else { [200, 100, 50] })
    })
}

fn picture(puzzles: Vec<PuzzlePicture>) -> Picture {
    Picture { title: "A title".to_owned(), puzzles, n_columns: None }
}

/// Pixels of a PNG as `[height][width]`.
fn decoded(png: &[u8]) -> Vec<Vec<Colour>> {
    let decoder = ::png::Decoder::new(std::io::Cursor::new(png));
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, ::png::ColorType::Rgb);
    let (pixels, _) = bytes.as_chunks::<3>();
    pixels.chunks(info.width as usize).map(<[Colour]>::to_vec).collect()
}

fn areas(scene: &Scene, class: &str) -> Vec<Area> {
    let found = scene.shapes.iter().filter(|shape| shape.class == class);
    found.map(|shape| shape.area).collect()
}

fn overlap(a: Area, b: Area) -> bool {
    let meet =
        |a: usize, a_length: usize, b: usize, b_length: usize| a < b + b_length && b < a + a_length;
    meet(a.x, a.width, b.x, b.width) && meet(a.y, a.height, b.y, b.height)
}

#[test]
fn svg_is_xml_with_every_cell_and_mark() {
    let picture = picture(vec![PuzzlePicture {
        caption: "<b> & \"c\" \u{0}".to_owned(),
        panels: vec![panel(2, 3, |_, _| false), panel(2, 3, |row, _| row == 1)],
    }]);
    let svg = picture.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let of_class = |class: &str| {
        let nodes = document.descendants();
        nodes.filter(|node| node.attribute("class") == Some(class)).collect::<Vec<_>>()
    };
    assert_eq!((of_class("panel").len(), of_class("cell").len()), (2, 12));
    assert_eq!(of_class("wrong").len(), 3);
    assert_eq!(of_class("caption")[0].text(), Some("<b> & \"c\" \u{fffd}"));
    assert_eq!(of_class("heading").len(), 2);
    let place = |node: &roxmltree::Node<'_, '_>| {
        let number = |name| node.attribute(name).unwrap().parse::<f64>().unwrap();
        (number("x") + number("width") / 2.0, number("y") + number("height") / 2.0)
    };
    let marked: Vec<_> = of_class("wrong").iter().map(place).collect();
    let cells: Vec<_> = of_class("cell")[9..].iter().map(place).collect();
    assert_eq!(marked, cells, "the lower row of the second panel");
}

#[test]
fn png_has_the_size_of_the_scene_and_the_colours_of_the_cells() {
    let of_boxes = panel(4, 4, |row, col| row == col).with_boxes(2, 2);
    let puzzle = PuzzlePicture { caption: "one".to_owned(), panels: vec![of_boxes] };
    let picture = picture(vec![puzzle.clone(), puzzle]);
    let scene = scene(&picture);
    let pixels = decoded(&picture.to_png().unwrap());
    assert_eq!((pixels.len(), pixels[0].len()), (scene.height, scene.width));

    let areas = areas(&scene, "cell");
    assert_eq!(areas.len(), 32);
    let panels = picture.puzzles.iter().flat_map(|puzzle| &puzzle.panels);
    for (cell, area) in panels.flat_map(Panel::cells).zip(areas) {
        let (middle, corner) = (area.shrunk(area.width / 2 - 1), area);
        assert_eq!(pixels[middle.y][middle.x], cell.fill);
        assert_eq!(pixels[corner.y][corner.x] == cell.fill, !cell.is_wrong);
        assert_eq!(pixels[area.y - 1][area.x], [170; 3], "the line above");
    }
    assert_eq!(pixels[0][0], [255; 3]);
}

#[test]
fn text_of_a_png_lies_within_its_area() {
    let picture = Picture { title: "Wg_|#%".to_owned(), ..Picture::default() };
    let scene = scene(&picture);
    let area = areas(&scene, "title")[0];
    let mut n_inked = 0;
    for (y, row) in decoded(&picture.to_png().unwrap()).iter().enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, pixel)| **pixel != [255; 3]) {
            assert!(overlap(area, Area { x, y, width: 1, height: 1 }), "({x}, {y})");
            n_inked += 1;
        }
    }
    assert!(n_inked > 100);
}

#[test]
fn a_png_with_too_many_pixels_is_rejected() {
    let puzzle =
        PuzzlePicture { caption: String::new(), panels: vec![panel(100, 100, |_, _| false)] };
    let picture = picture(vec![puzzle; 90]);
    let err = picture.to_png().unwrap_err().to_string();
    assert!(err.ends_with("is too large: at most 67108864 pixels"), "{err}");
}

/// A panel of any size, with or without boxes.
fn any_panel() -> impl Strategy<Value = Panel> {
    let boxes = prop::option::of((0usize..4, 0usize..4));
    (0usize..12, 0usize..12, "[a-z]{0,12}", boxes).prop_map(|(n_rows, n_cols, heading, boxes)| {
        let mut panel = panel(n_rows, n_cols, |row, col| row > col);
        (panel.heading, panel.boxes) = (heading, boxes);
        panel
    })
}

fn any_puzzle() -> impl Strategy<Value = PuzzlePicture> {
    let panels = prop::collection::vec(any_panel(), 0..4);
    ("\\PC{0,70}", panels).prop_map(|(caption, panels)| PuzzlePicture { caption, panels })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn panels_and_texts_do_not_overlap_and_lie_on_the_page(
        title in "[a-z ]{0,40}",
        puzzles in prop::collection::vec(any_puzzle(), 0..9),
        n_columns in prop::option::of(prop_oneof![0usize..12, Just(usize::MAX)]),
    ) {
        let picture = Picture { title, puzzles, n_columns };
        let scene = scene(&picture);
        prop_assert!(scene.width > 0 && scene.height > 0);
        for shape in &scene.shapes {
            let Area { x, y, width, height } = shape.area;
            prop_assert!(x + width <= scene.width && y + height <= scene.height, "{:?}", shape);
        }
        let n_panels: usize = picture.puzzles.iter().map(|puzzle| puzzle.panels.len()).sum();
        prop_assert_eq!(areas(&scene, "panel").len(), n_panels);
        // No two panels, or texts outside panels, overlap.
        let outside = ["title", "caption", "heading", "panel"].map(|class| areas(&scene, class));
        let outside = outside.concat();
        for (idx, one) in outside.iter().enumerate() {
            for other in &outside[idx + 1..] {
                prop_assert!(!overlap(*one, *other), "{:?} and {:?}", one, other);
            }
        }
        // Every cell lies in exactly one panel.
        for cell in areas(&scene, "cell") {
            let panels = areas(&scene, "panel");
            prop_assert_eq!(panels.iter().filter(|panel| overlap(**panel, cell)).count(), 1);
        }
        prop_assert!(roxmltree::Document::parse(&picture.to_svg()).is_ok());
    }
}

#[test]
fn a_thick_frame_does_not_exceed_its_area() {
    let area = Area { x: 1, y: 1, width: 2, height: 1 };
    let mut scene = Scene { width: 4, height: 3, ..Scene::default() };
    scene.add("x", area, [9; 3], Form::Frame(5));
    let row = |pixels: [u8; 4]| pixels.map(|value| [value; 3]).to_vec();
    let want = [row([255; 4]), row([255, 9, 9, 255]), row([255; 4])];
    assert_eq!(decoded(&png::encode(&scene).unwrap()), want);
}
