//! Where the boxes of a call graph stand: callers left of whom they call, as far as cycles allow.

use std::collections::BTreeSet;

/// Space between two columns, which holds the labels of the calls.
const COLUMN_GAP: f64 = 110.0;
/// Least space between two boxes of a column.
const ROW_GAP: f64 = 18.0;
/// Height of a box with few calls.
const BOX_HEIGHT: f64 = 44.0;
/// Space each call needs where it meets a box.
const PORT: f64 = 17.0;
/// Height of the lane in which a call passes a column.
const LANE: f64 = 12.0;
/// Rounds of putting boxes near whom they are connected with; more change nothing that is seen.
const ROUNDS: usize = 24;

/// A box, in pixels from the upper left corner of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The way of one call, from the caller to the callee.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Route {
    pub(super) points: Vec<(f64, f64)>,
    /// Whether it leads from right to left, back into a cycle.
    pub(super) back: bool,
}

/// Boxes and ways, and the size of the whole.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    pub(super) routes: Vec<Route>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Places boxes of the given `widths`; `calls` are pairs of indices, caller first.
pub(super) fn layout(widths: &[f64], calls: &[(usize, usize)]) -> Layout {
    let columns_of = columns(widths.len(), calls);
    let mut sketch = Sketch::new(widths, calls, &columns_of);
    for round in 0..ROUNDS {
        sketch.sort(round % 2 == 0);
    }
    for round in 0..ROUNDS {
        sketch.pull(round % 2 == 0);
    }
    sketch.finish(widths.len())
}

/// The column of each box: one more than that of its rightmost caller, calls back into a cycle aside.
fn columns(boxes: usize, calls: &[(usize, usize)]) -> Vec<usize> {
    let order = callers_first(boxes, calls);
    let mut rank = vec![0; boxes];
    order.iter().enumerate().for_each(|(at, node)| rank[*node] = at);
    let mut column = vec![0; boxes];
    for &caller in &order {
        for &(_, callee) in calls.iter().filter(|(u, v)| *u == caller && rank[*v] > rank[*u]) {
            column[callee] = column[callee].max(column[caller] + 1);
        }
    }
    column
}

/// The boxes so that whoever calls stands before whom it calls, but for calls that close a cycle.
fn callers_first(boxes: usize, calls: &[(usize, usize)]) -> Vec<usize> {
    let called: BTreeSet<usize> = calls.iter().filter(|(u, v)| u != v).map(|c| c.1).collect();
    let roots = (0..boxes).filter(|node| !called.contains(node));
    let (mut seen, mut finished) = (vec![false; boxes], Vec::with_capacity(boxes));
    for root in roots.chain(0..boxes) {
        let mut open = vec![(root, false)];
        while let Some((node, done)) = open.pop() {
            if done {
                finished.push(node);
            } else if !std::mem::replace(&mut seen[node], true) {
                open.push((node, true));
                let callees = calls.iter().rev().filter(|(u, v)| *u == node && !seen[*v]);
                open.extend(callees.map(|(_, v)| (*v, false)));
            }
        }
    }
    finished.reverse();
    finished
}

/// A box, or the lane of a call in a column that it passes.
#[derive(Debug, Clone, Copy, Default)]
struct Item {
    column: usize,
    width: f64,
    height: f64,
    /// The middle.
    y: f64,
}

/// Boxes come first among the items; a chain names those a call passes, from left to right.
struct Sketch<'a> {
    calls: &'a [(usize, usize)],
    items: Vec<Item>,
    columns: Vec<Vec<usize>>,
    chains: Vec<Vec<usize>>,
    left: Vec<Vec<usize>>,
    right: Vec<Vec<usize>>,
}

impl<'a> Sketch<'a> {
    fn new(widths: &[f64], calls: &'a [(usize, usize)], columns_of: &[usize]) -> Self {
        let boxes = widths.iter().zip(columns_of);
        let items =
            boxes.map(|(width, column)| Item { column: *column, width: *width, ..Item::default() });
        let mut sketch = Self {
            calls,
            items: items.collect(),
            columns: vec![Vec::new(); columns_of.iter().max().map_or(0, |most| most + 1)],
            chains: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
        };
        sketch.chains = calls.iter().map(|(u, v)| sketch.chain(*u, *v)).collect();
        sketch.connect();
        for (index, item) in sketch.items.iter_mut().enumerate() {
            let ports = sketch.left[index].len().max(sketch.right[index].len());
            let lane = index >= widths.len();
            item.height = if lane { LANE } else { BOX_HEIGHT.max(PORT * (ports as f64 + 0.6)) };
            sketch.columns[item.column].push(index);
        }
        sketch.stack();
        sketch
    }

    fn chain(&mut self, caller: usize, callee: usize) -> Vec<usize> {
        let back = self.items[callee].column < self.items[caller].column;
        let (first, last) = if back { (callee, caller) } else { (caller, callee) };
        let mut chain = vec![first];
        for column in self.items[first].column + 1..self.items[last].column {
            chain.push(self.items.len());
            self.items.push(Item { column, ..Item::default() });
        }
        chain.push(last);
        chain
    }

    fn connect(&mut self) {
        (self.left, self.right) =
            (vec![Vec::new(); self.items.len()], vec![Vec::new(); self.items.len()]);
        for pair in self.chains.iter().flat_map(|chain| chain.windows(2)) {
            if pair[0] != pair[1] {
                self.right[pair[0]].push(pair[1]);
                self.left[pair[1]].push(pair[0]);
            }
        }
    }

    /// Puts the items of each column one below the other, around a common middle.
    fn stack(&mut self) {
        for column in &self.columns {
            let height: f64 = column.iter().map(|i| self.items[*i].height + ROW_GAP).sum();
            let mut top = -height / 2.0;
            for &index in column {
                let item = &mut self.items[index];
                item.y = top + item.height / 2.0;
                top += item.height + ROW_GAP;
            }
        }
    }

    /// The mean height of what `index` is connected with on one side; its own where nothing is.
    fn wanted(&self, index: usize, leftwards: bool) -> f64 {
        let others = if leftwards { &self.left[index] } else { &self.right[index] };
        let sum: f64 = others.iter().map(|other| self.items[*other].y).sum();
        if others.is_empty() { self.items[index].y } else { sum / others.len() as f64 }
    }

    /// Orders every column by the heights of what its items are connected with on one side.
    fn sort(&mut self, leftwards: bool) {
        for column in 0..self.columns.len() {
            let at = if leftwards { column } else { self.columns.len() - 1 - column };
            let mut items = std::mem::take(&mut self.columns[at]);
            items.sort_by(|a, b| self.wanted(*a, leftwards).total_cmp(&self.wanted(*b, leftwards)));
            self.columns[at] = items;
            self.stack();
        }
    }

    /// Moves every item towards what it is connected with, as far as its neighbours leave room.
    fn pull(&mut self, leftwards: bool) {
        for at in 0..self.columns.len() {
            let column = self.columns[at].clone();
            let wanted: Vec<f64> =
                column.iter().map(|index| self.wanted(*index, leftwards)).collect();
            let mut bottom = f64::NEG_INFINITY;
            let mut off = 0.0;
            for (index, wanted) in column.iter().zip(&wanted) {
                let item = &mut self.items[*index];
                item.y = wanted.max(bottom + ROW_GAP + item.height / 2.0);
                bottom = item.y + item.height / 2.0;
                off += (item.y - wanted) / column.len() as f64;
            }
            for index in column {
                self.items[index].y -= off;
            }
        }
    }

    fn finish(mut self, boxes: usize) -> Layout {
        let top = self.items.iter().map(|i| i.y - i.height / 2.0).fold(f64::INFINITY, f64::min);
        self.items.iter_mut().for_each(|item| item.y -= top - ROW_GAP);
        let bottom = self.items.iter().map(|i| i.y + i.height / 2.0).fold(0.0, f64::max);
        let (starts, width) = self.column_starts();
        let place = |item: &Item| Place {
            x: starts[item.column].0,
            y: item.y - item.height / 2.0,
            width: item.width,
            height: item.height,
        };
        Layout {
            places: self.items[..boxes].iter().map(place).collect(),
            routes: (0..self.calls.len()).map(|call| self.route(call, &starts, boxes)).collect(),
            width,
            height: bottom + ROW_GAP,
        }
    }

    /// Left and right edge of each column, and the width of all.
    fn column_starts(&self) -> (Vec<(f64, f64)>, f64) {
        let mut starts = Vec::new();
        let mut x = ROW_GAP;
        for column in &self.columns {
            let width = column.iter().map(|i| self.items[*i].width).fold(0.0, f64::max);
            starts.push((x, x + width));
            x += width + COLUMN_GAP;
        }
        (starts, (x - COLUMN_GAP + ROW_GAP).max(2.0 * ROW_GAP))
    }

    fn route(&self, call: usize, starts: &[(f64, f64)], boxes: usize) -> Route {
        let (caller, callee) = self.calls[call];
        let chain = &self.chains[call];
        let mut points = Vec::new();
        for (at, &index) in chain.iter().enumerate() {
            let item = &self.items[index];
            let (left, right) = starts[item.column];
            let right = if index < boxes { left + item.width } else { right };
            if at > 0 {
                points.push((left, self.port(index, chain[at - 1], true)));
            }
            if at + 1 < chain.len() {
                points.push((right, self.port(index, chain[at + 1], false)));
            }
        }
        let back = self.items[callee].column < self.items[caller].column;
        if back {
            points.reverse();
        }
        Route { points, back }
    }

    /// Where the connection of `index` with `other` meets its side: in the order of what is on that side.
    fn port(&self, index: usize, other: usize, leftwards: bool) -> f64 {
        let others = if leftwards { &self.left[index] } else { &self.right[index] };
        let key = |of: usize| (self.items[of].y, of);
        let before = others.iter().filter(|of| key(**of) < key(other)).count() as f64;
        self.items[index].y + PORT * (before - (others.len().max(1) - 1) as f64 / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaps(a: &Place, b: &Place) -> bool {
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
    }

    #[test]
    fn callers_stand_left_of_whom_they_call_and_no_two_boxes_overlap() {
        let calls = [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3), (0, 4), (3, 4)];
        let layout = layout(&[100.0, 90.0, 80.0, 70.0, 60.0, 50.0], &calls);
        for (caller, callee) in calls {
            let (a, b) = (layout.places[caller], layout.places[callee]);
            assert!(a.x + a.width < b.x, "{caller} {callee}");
        }
        for (index, a) in layout.places.iter().enumerate() {
            assert!(a.x >= 0.0 && a.x + a.width <= layout.width && a.y + a.height <= layout.height);
            assert!(layout.places[..index].iter().all(|b| !overlaps(a, b)));
        }
    }

    #[test]
    fn every_call_leads_from_its_caller_to_its_callee() {
        let calls = [(0, 1), (1, 2), (0, 2), (2, 1)];
        let layout = layout(&[50.0; 3], &calls);
        for ((caller, callee), route) in calls.iter().zip(&layout.routes) {
            let ends = [(*caller, route.points[0]), (*callee, *route.points.last().unwrap())];
            for (index, (x, y)) in ends {
                let place = layout.places[index];
                let side = (x - place.x).abs() < 1e-9 || (x - place.x - place.width).abs() < 1e-9;
                assert!(side && y > place.y && y < place.y + place.height, "{caller} {callee}");
            }
        }
        assert_eq!(
            layout.routes.iter().map(|r| r.back).collect::<Vec<_>>(),
            [false, false, false, true]
        );
    }

    #[test]
    fn nothing_and_a_call_to_oneself_can_be_laid_out() {
        assert!(layout(&[], &[]).places.is_empty());
        let alone = layout(&[50.0], &[(0, 0)]);
        assert_eq!(alone.routes[0].points.len(), 2);
    }
}
