//! Reference rules for tests: for each family, the relation that must hold between inputs
//! and outputs, checked from the pairs of a task only.

use std::collections::BTreeMap;

use super::look::*;
use crate::Dihedral;
use crate::arc::{Grid, Pair};

/// Whether the pairs of a task follow the rule of a family.
///
/// # Panics
///
/// If the family is unknown, and possibly if the pairs are of another family.
pub(super) fn holds(family: &str, pairs: &[Pair]) -> bool {
    let each = |rule: fn(&Grid, &Grid) -> bool| seen_from(&[Dihedral::Identity], pairs, rule);
    let turned = |rule: fn(&Grid, &Grid) -> bool| seen_from(&Dihedral::ALL, pairs, rule);
    match family {
        "recolour" => maps_colours(pairs, |map| changed(map).len() == 1),
        "swap-colours" => maps_colours(pairs, |map| {
            let goes_back = |(from, to): &(u8, u8)| map.get(to).is_none_or(|back| back == from);
            (1..=2).contains(&changed(map).len()) && changed(map).iter().all(goes_back)
        }),
        "keep-colour" => maps_colours(pairs, |map| {
            map.values().filter(|to| **to > 0).count() == 1 && changed(map).iter().all(|c| c.1 == 0)
        }),
        "drop-colour" => maps_colours(pairs, |map| matches!(changed(map)[..], [(_, 0)])),
        "negative" => {
            maps_colours(pairs, |map| map.iter().all(|(from, to)| (*from == 0) != (*to == 0)))
        }
        "parity" => turned(parity),
        "gravity" => turned(fallen),
        "shift" => (0..9).any(|n| pairs.iter().all(|pair| shifted(pair, n / 3, n % 3))),
        "mirror" => is_one_of(&[Dihedral::FlipLeftRight, Dihedral::FlipUpDown], pairs),
        "rotate" => is_one_of(&Dihedral::ALL[1..4], pairs),
        "transpose" => is_one_of(&Dihedral::ALL[6..], pairs),
        "border" => each(bordered),
        "scale-up" => each(|input, output| scaled(input, output, 2)),
        "scale-by-colours" => each(|input, output| scaled(input, output, colours(input).len())),
        "reflect" => turned(|input, output| {
            part(output, 0, 0, input.n_rows(), input.n_cols()) == *input
                && Dihedral::FlipUpDown.apply(output) == *output
                && output.n_rows() == 2 * input.n_rows()
        }),
        "kaleidoscope" => turned(|input, output| {
            part(output, 0, 0, input.n_rows(), input.n_cols()) == *input
                && Dihedral::HalfTurn.apply(output) == *output
                && Dihedral::FlipUpDown.apply(output) == *output
                && output.cells().len() == 4 * input.cells().len()
        }),
        "half" => turned(|input, output| {
            part(input, 0, 0, output.n_rows(), output.n_cols()) == *output
                && input.n_rows() == 2 * output.n_rows()
        }),
        "tile" => each(tiled),
        "remove-lines" => (1..10).any(|line| pairs.iter().all(|pair| without(pair, line))),
        "complete-symmetry" => turned(|input, output| {
            Dihedral::FlipUpDown.apply(output) == *output && covered(input, output)
        }),
        "complete-tiling" => each(|input, output| {
            let repeats = |(row, col): Cell| output.at(row, col) == output.at(row % 2, col % 2);
            cells(output).all(repeats) && covered(input, output)
        }),
        "combine-halves" | "overlay" => [Dihedral::Identity, Dihedral::Transpose]
            .iter()
            .any(|view| is_function_of_panels(pairs, *view)),
        "mask" => [true, false].iter().any(|kept| {
            seen_from(&[Dihedral::Identity, Dihedral::Transpose], pairs, |input, output| {
                let Some([left, right]) = panels(input) else { return false };
                cells(output).all(|(row, col)| {
                    let stays = (left.at(row, col) > 0) == *kept;
                    output.at(row, col) == if stays { right.at(row, col) } else { 0 }
                })
            })
        }),
        "odd-one-out" => turned(|input, output| {
            let Some(panels) = panels::<3>(input) else { return false };
            let n_like = |wanted: &Grid| panels.iter().filter(|panel| *panel == wanted).count();
            n_like(output) == 1 && panels.iter().any(|panel| n_like(panel) == 2)
        }),
        "connect-points" => turned(connected),
        "extend-lines" => turned(|input, output| {
            same(input, output, |(row, col)| {
                (0..=row).map(|above| input.at(above, col)).find(|colour| *colour > 0).unwrap_or(0)
            })
        }),
        "cross" => each(|input, output| {
            painted(input, output, |(row, col), (at_row, at_col)| row == at_row || col == at_col)
        }),
        "diagonals" => each(|input, output| {
            painted(input, output, |(row, col), (at_row, at_col)| {
                row + at_col == at_row + col || row + col == at_row + at_col
            })
        }),
        "outline" => each(|input, output| {
            painted(input, output, |(row, col), (at_row, at_col)| {
                row.abs_diff(at_row).max(col.abs_diff(at_col)) == 1
            })
        }),
        "checkerboard" => each(|input, output| {
            same(output, output, |(row, col)| output.at(0, (row + col) % 2))
                && agrees(input, output)
        }),
        "stripes" => turned(|input, output| {
            let given = (0..input.n_rows()).take_while(|row| input.at(*row, 0) > 0).count();
            given > 0
                && same(output, output, |(row, _)| input.at(row % given, 0))
                && agrees(input, output)
        }),
        "staircase" => turned(|input, output| {
            let start = input.cells().iter().take_while(|colour| **colour > 0).count();
            let bar = |(row, col)| if col < start + row { input.at(0, 0) } else { 0 };
            input.n_rows() == 1
                && output.n_rows() == input.n_cols() - start + 1
                && same(output, output, bar)
        }),
        "bounce" => turned(bounced),
        "elbow" => each(bent),
        "shoot" => turned(shot),
        "flood-fill" => each(|input, output| {
            let seeds = changed_colours(input, output);
            let [seed] = seeds[..] else { return false };
            let filled = |colour| colour == seed;
            let is_open = |(row, col): Cell| {
                output.at(row, col) == 0
                    && near((row, col), false).any(|at| get(output, at) == Some(seed))
            };
            agrees(input, output)
                && components(output, false, filled).len() == 1
                && !cells(output).any(is_open)
        }),
        "fill-holes" => each(holes_filled),
        "largest-rectangle" => each(largest_blank),
        "move-to-wall" => turned(|input, output| {
            let (from, to) = (bounds(&figure(input)), bounds(&figure(output)));
            crop(input, from) == crop(output, to) && from.1 == to.1 && to.2 == output.n_rows()
        }),
        "sort-columns" => turned(|input, output| {
            let columns = |grid: &Grid| -> Vec<_> {
                Dihedral::Transpose.apply(grid).rows().map(<[u8]>::to_vec).collect()
            };
            let mut sorted = columns(input);
            sorted.sort_by_key(|column| column.iter().filter(|colour| **colour > 0).count());
            sorted == columns(output)
        }),
        "crop-object" => each(|input, output| crop(input, bounds(&figure(input))) == *output),
        "zoom-object" => {
            each(|input, output| scaled(&crop(input, bounds(&figure(input))), output, 2))
        }
        "crop-largest" => each(|input, output| {
            let objects = objects(input);
            objects[0].len() > objects[1].len() && crop(input, bounds(&objects[0])) == *output
        }),
        "recolour-largest" => each(|input, output| {
            let objects = objects(input);
            let [new] = changed_colours(input, output)[..] else { return false };
            let largest = &objects[0];
            objects[0].len() > objects[1].len()
                && same(input, output, |at| {
                    if largest.contains(&at) { new } else { input.at(at.0, at.1) }
                })
        }),
        "denoise" => {
            each(|input, output| {
                let noise: Vec<_> =
                    objects(input).into_iter().filter(|cells| cells.len() == 1).collect();
                same(input, output, |at| {
                    if noise.contains(&vec![at]) { 0 } else { input.at(at.0, at.1) }
                })
            })
        }
        "fill-box" => each(|input, output| {
            objects(output).iter().all(|object| {
                let (top, left, bottom, right) = bounds(object);
                let is_corner = |(row, col): &Cell| {
                    (*row == top || row + 1 == bottom) && (*col == left || col + 1 == right)
                };
                let marked = object.iter().filter(|at| input.at(at.0, at.1) > 0);
                object.len() == (bottom - top) * (right - left)
                    && marked.clone().all(is_corner)
                    && marked.count() == 4
            }) && agrees(input, output)
        }),
        "hollow" => each(|input, output| {
            same(input, output, |at| {
                let is_inside = near(at, false).all(|at| get(input, at).is_some_and(|c| c > 0));
                if is_inside { 0 } else { input.at(at.0, at.1) }
            })
        }),
        "bounding-box" => each(|input, output| {
            let (top, left, bottom, right) = bounds(&figure(input));
            let [frame] = changed_colours(input, output)[..] else { return false };
            same(input, output, |(row, col)| {
                let is_within = (top..bottom).contains(&row) && (left..right).contains(&col);
                let is_edge = row == top || row + 1 == bottom || col == left || col + 1 == right;
                match input.at(row, col) {
                    0 if is_within && is_edge => frame,
                    unchanged => unchanged,
                }
            })
        }),
        "colour-by-size" => {
            let mut by_size = BTreeMap::new();
            pairs.iter().all(|Pair { input, output }| {
                objects(input).iter().all(|object| {
                    let mut new = object.iter().map(|at| output.at(at.0, at.1));
                    let wanted =
                        *by_size.entry(object.len()).or_insert(output.at(object[0].0, object[0].1));
                    new.all(|colour| colour == wanted)
                }) && figure(input).len() == figure(output).len()
            })
        }
        "count-bar" => each(|input, output| {
            let counted = input.cells().iter().filter(|colour| **colour == output.at(0, 0));
            colours(output).len() == 1 && counted.count() == output.n_cols() && output.n_rows() == 1
        }),
        "count-objects" => each(|input, output| {
            colours(output).len() == 1 && objects(input).len() == output.cells().len()
        }),
        "rank-objects" => each(|input, output| {
            let ranked: Vec<_> =
                objects(input).iter().map(|object| input.at(object[0].0, object[0].1)).collect();
            ranked == output.cells()
        }),
        "most-common" => each(|input, output| [most(input.cells())] == output.cells()),
        "majority-rows" => turned(|input, output| {
            let rows = input.rows().map(most).zip(output.rows());
            input.n_rows() == output.n_rows()
                && rows.into_iter().all(|(most, row)| row.iter().all(|colour| *colour == most))
        }),
        unknown => panic!("no reference rule for {unknown}"),
    }
}

/// Whether a rule holds for all pairs under at least one of several transforms.
fn seen_from(views: &[Dihedral], pairs: &[Pair], rule: impl Fn(&Grid, &Grid) -> bool) -> bool {
    views.iter().any(|view| {
        pairs.iter().all(|pair| rule(&view.apply(&pair.input), &view.apply(&pair.output)))
    })
}

/// Whether one of several transforms maps every input to its output.
fn is_one_of(transforms: &[Dihedral], pairs: &[Pair]) -> bool {
    let maps = |by: &Dihedral| pairs.iter().all(|pair| by.apply(&pair.input) == pair.output);
    transforms.iter().any(maps)
}

/// Whether a single map from colour to colour explains all pairs, and satisfies `is_right`.
fn maps_colours(pairs: &[Pair], is_right: impl Fn(&BTreeMap<u8, u8>) -> bool) -> bool {
    let mut map = BTreeMap::new();
    pairs.iter().all(|Pair { input, output }| {
        same(input, output, |(row, col)| {
            *map.entry(input.at(row, col)).or_insert(output.at(row, col))
        })
    }) && is_right(&map)
}

/// The colours that a map changes, with their images.
fn changed(map: &BTreeMap<u8, u8>) -> Vec<(u8, u8)> {
    map.iter().filter(|(from, to)| from != to).map(|(from, to)| (*from, *to)).collect()
}

fn parity(input: &Grid, output: &Grid) -> bool {
    let [new] = changed_colours(input, output)[..] else { return false };
    (0..2).any(|odd| {
        same(input, output, |(row, col)| match input.at(row, col) {
            0 => 0,
            _ if col % 2 == odd => new,
            unchanged => unchanged,
        })
    })
}

fn fallen(input: &Grid, output: &Grid) -> bool {
    let columns = |grid| Dihedral::Transpose.apply(grid);
    columns(input).rows().zip(columns(output).rows()).all(|(before, after)| {
        let mut want: Vec<_> = before.iter().copied().filter(|colour| *colour > 0).collect();
        let mut sunk = vec![0; before.len() - want.len()];
        sunk.append(&mut want);
        sunk == after
    })
}

fn shifted(Pair { input, output }: &Pair, down: usize, right: usize) -> bool {
    let (n_rows, n_cols) = (input.n_rows(), input.n_cols());
    same(output, input, |(row, col)| output.at((row + down) % n_rows, (col + right) % n_cols))
}

fn bordered(input: &Grid, output: &Grid) -> bool {
    let [frame] = changed_colours(input, output)[..] else { return false };
    same(input, output, |at| {
        let is_edge = near(at, false).any(|at| get(input, at).is_none());
        if is_edge { frame } else { input.at(at.0, at.1) }
    })
}

fn scaled(input: &Grid, output: &Grid, factor: usize) -> bool {
    output.n_rows() == factor * input.n_rows()
        && output.n_cols() == factor * input.n_cols()
        && cells(output)
            .all(|(row, col)| output.at(row, col) == input.at(row / factor, col / factor))
}

fn tiled(input: &Grid, output: &Grid) -> bool {
    let (n_rows, n_cols) = (input.n_rows(), input.n_cols());
    let tile = |(row, col)| part(output, row * n_rows, col * n_cols, n_rows, n_cols);
    let tiles = || {
        let (down, across) = (output.n_rows() / n_rows, output.n_cols() / n_cols);
        (0..down).flat_map(move |row| (0..across).map(move |col| (row, col)))
    };
    let mirrored = |(row, col): Cell| {
        let across = if col % 2 == 1 { Dihedral::FlipLeftRight } else { Dihedral::Identity };
        let down = if row % 2 == 1 { Dihedral::FlipUpDown } else { Dihedral::Identity };
        down.apply(&across.apply(input))
    };
    output.cells().len() > input.cells().len()
        && (tiles().all(|at| tile(at) == *input) || tiles().all(|at| tile(at) == mirrored(at)))
}

fn without(Pair { input, output }: &Pair, line: u8) -> bool {
    let is_line = |row: &[u8]| row.iter().all(|colour| *colour == line);
    let rows: Vec<_> = input.rows().filter(|row| !is_line(row)).collect();
    let is_kept = |col: &usize| rows.iter().any(|row| row[*col] != line);
    let cols: Vec<_> = (0..input.n_cols()).filter(is_kept).collect();
    rows.len() == output.n_rows()
        && cols.len() == output.n_cols()
        && cells(output).all(|(row, col)| output.at(row, col) == rows[row][cols[col]])
}

/// Whether the input is the output with a rectangle of one new colour on it.
fn covered(input: &Grid, output: &Grid) -> bool {
    let [cover] = changed_colours(output, input)[..] else { return false };
    let patch: Vec<_> = cells(input).filter(|at| input.at(at.0, at.1) == cover).collect();
    let (top, left, bottom, right) = bounds(&patch);
    patch.len() == (bottom - top) * (right - left)
        && cells(input).all(|at| patch.contains(&at) || get(output, at) == get(input, at))
}

/// Whether each output cell is a function of the two panel cells at its position.
fn is_function_of_panels(pairs: &[Pair], view: Dihedral) -> bool {
    let mut map = BTreeMap::new();
    pairs.iter().all(|pair| {
        let output = view.apply(&pair.output);
        let Some([left, right]) = panels(&view.apply(&pair.input)) else { return false };
        same(&left, &output, |(row, col)| {
            let key = (left.at(row, col), right.at(row, col));
            *map.entry(key).or_insert(output.at(row, col))
        })
    })
}

fn connected(input: &Grid, output: &Grid) -> bool {
    let [line] = changed_colours(input, output)[..] else { return false };
    same(input, output, |(row, col)| {
        let is_point = |col: &usize| input.at(row, *col) > 0;
        let is_between = (0..col).any(|col| is_point(&col))
            && (col + 1..input.n_cols()).any(|col| is_point(&col));
        if is_between { line } else { input.at(row, col) }
    })
}

/// Whether exactly those blank cells are painted, in one colour, for which `in_line` holds
/// with a coloured cell.
fn painted(input: &Grid, output: &Grid, in_line: fn(Cell, Cell) -> bool) -> bool {
    let [line] = changed_colours(input, output)[..] else { return false };
    let points = figure(input);
    same(input, output, |at| match input.at(at.0, at.1) {
        0 if points.iter().any(|point| in_line(*point, at)) => line,
        unchanged => unchanged,
    })
}

fn bounced(input: &Grid, output: &Grid) -> bool {
    let track: Vec<_> = figure(output).iter().map(|at| at.1).collect();
    let is_turn = |at: &[usize]| at[0] == at[2];
    let is_wall = |col: usize| col == 0 || col + 1 == output.n_cols();
    figure(input) == [(0, 0)]
        && agrees(input, output)
        && figure(output).iter().map(|at| at.0).eq(0..output.n_rows())
        && track.windows(2).all(|at| at[0].abs_diff(at[1]) == 1)
        && track.windows(3).all(|at| is_turn(at) == is_wall(at[1]))
}

fn bent(input: &Grid, output: &Grid) -> bool {
    let [start, end] = figure(input)[..] else { return false };
    let n_between = start.0.abs_diff(end.0) + start.1.abs_diff(end.1) - 1;
    let bends = [(start.0, end.1), (end.0, start.1)];
    agrees(input, output)
        && figure(output).len() == n_between + 2
        && components(output, false, |colour| colour > 0).len() == 1
        && bends.iter().any(|at| output.at(at.0, at.1) > 0)
}

fn shot(input: &Grid, output: &Grid) -> bool {
    same(input, output, |(row, col)| {
        let stands = (1..=row).any(|row| input.at(row, col) > 0);
        if stands { input.at(row, col) } else { input.at(0, col) }
    })
}

fn holes_filled(input: &Grid, output: &Grid) -> bool {
    let [filling] = changed_colours(input, output)[..] else { return false };
    let is_outside = |cells: &Vec<Cell>| {
        cells.iter().any(|at| near(*at, false).any(|at| get(input, at).is_none()))
    };
    let mut want = input.clone();
    for hole in components(input, false, |colour| colour == 0) {
        if !is_outside(&hole) {
            hole.iter().for_each(|at| want.set(at.0, at.1, filling));
        }
    }
    want == *output
}

fn largest_blank(input: &Grid, output: &Grid) -> bool {
    let new: Vec<_> = cells(input).filter(|at| get(input, *at) != get(output, *at)).collect();
    let (top, left, bottom, right) = bounds(&new);
    let is_blank = |(top, left, bottom, right): (usize, usize, usize, usize)| {
        (top..bottom).all(|row| (left..right).all(|col| input.at(row, col) == 0))
    };
    let rectangles = cells(input).flat_map(|(top, left)| {
        let ends = cells(input).filter(move |end| end.0 >= top && end.1 >= left);
        ends.map(move |(row, col)| (top, left, row + 1, col + 1))
    });
    let n_cells =
        |(top, left, bottom, right): (usize, usize, usize, usize)| (bottom - top) * (right - left);
    let as_large = rectangles.filter(|area| n_cells(*area) >= new.len() && is_blank(*area));
    new.len() == n_cells((top, left, bottom, right))
        && changed_colours(input, output).len() == 1
        && as_large.collect::<Vec<_>>() == [(top, left, bottom, right)]
}
