//! The network and its gradient: one LSTM layer whose last state, together with what is known of each slot
//! ahead, feeds a layer of tanh units shared by all slots, and that one the quantiles.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::levels::LEVELS;

/// Features per slot of the window.
pub(crate) const INPUTS: usize = 8;
/// Features per slot ahead.
pub(crate) const AHEAD: usize = 7;
/// Slots the network reads.
pub(crate) const WINDOW: usize = 48;
/// Units of the LSTM.
pub(crate) const HIDDEN: usize = 32;
/// Units of the tanh layer.
pub(crate) const HEAD: usize = 16;
/// Values per slot ahead: one per level.
pub(crate) const OUTPUTS: usize = LEVELS.len();

const GATES: usize = 4 * HIDDEN;

/// Where a matrix lies in the parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix {
    pub(crate) offset: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Matrix {
    const fn after(previous: Self, rows: usize, columns: usize) -> Self {
        Self { offset: previous.range().end, rows, columns }
    }

    pub(crate) const fn range(self) -> Range<usize> {
        self.offset..self.offset + self.rows * self.columns
    }
}

/// Input to gates; gates are in ONNX order: input, output, forget, cell.
pub(crate) const W: Matrix = Matrix { offset: 0, rows: GATES, columns: INPUTS };
/// State to gates.
pub(crate) const R: Matrix = Matrix::after(W, GATES, HIDDEN);
/// Bias of the gates.
pub(crate) const B: Matrix = Matrix::after(R, 1, GATES);
/// Last state to tanh layer.
pub(crate) const STATE_HEAD: Matrix = Matrix::after(B, HEAD, HIDDEN);
/// Features of the slot ahead to tanh layer.
pub(crate) const AHEAD_HEAD: Matrix = Matrix::after(STATE_HEAD, HEAD, AHEAD);
/// Bias of the tanh layer.
pub(crate) const HEAD_BIAS: Matrix = Matrix::after(AHEAD_HEAD, 1, HEAD);
/// Tanh layer to quantiles.
pub(crate) const OUT: Matrix = Matrix::after(HEAD_BIAS, OUTPUTS, HEAD);
/// Bias of the quantiles.
pub(crate) const OUT_BIAS: Matrix = Matrix::after(OUT, 1, OUTPUTS);
/// Number of parameters.
pub(crate) const PARAMETERS: usize = OUT_BIAS.range().end;

/// The parameters, one matrix after another, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Network {
    pub(crate) parameters: Vec<f32>,
}

/// Windows that are evaluated together; time is the outermost dimension of `window`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// Number of windows.
    pub(crate) size: usize,
    /// Number of slots ahead.
    pub(crate) reach: usize,
    /// `WINDOW` x `size` x `INPUTS`.
    pub(crate) window: Vec<f32>,
    /// `size` x `reach` x `AHEAD`.
    pub(crate) ahead: Vec<f32>,
}

/// What the forward pass leaves for the gradient.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// Activated gates, `WINDOW` x `size` x `GATES`.
    gates: Vec<f32>,
    /// Cells before each step and after the last, (`WINDOW` + 1) x `size` x `HIDDEN`.
    cells: Vec<f32>,
    /// States likewise.
    states: Vec<f32>,
    /// Activated tanh layer, `size` x `reach` x `HEAD`.
    head: Vec<f32>,
    /// `size` x `reach` x `OUTPUTS`.
    pub(crate) out: Vec<f32>,
}

impl Network {
    /// Small random weights; the outputs start at zero whatever the input.
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut network = Self { parameters: vec![0.0; PARAMETERS] };
        for (matrix, fan) in [(W, INPUTS), (R, HIDDEN), (STATE_HEAD, HIDDEN), (AHEAD_HEAD, AHEAD)] {
            let scale = 1.0 / (fan as f32).sqrt();
            for value in &mut network.parameters[matrix.range()] {
                *value = scale * (rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0);
            }
        }
        // Remembering from the start eases learning (Jozefowicz et al. 2015).
        network.parameters[B.range()][2 * HIDDEN..3 * HIDDEN].fill(1.0);
        network
    }

    fn view(&self, matrix: Matrix) -> ArrayView2<'_, f32> {
        view(&self.parameters[matrix.range()], matrix.columns)
    }

    /// Evaluates `batch`.
    pub(crate) fn forward(&self, batch: &Batch) -> Pass {
        let mut pass = self.recur(batch);
        let last = &pass.states[WINDOW * batch.size * HIDDEN..];
        let mut from_state = vec![0.0; batch.size * HEAD];
        multiply(&view(last, HIDDEN), &self.view(STATE_HEAD).t(), 0.0, &mut from_state);
        let rows = batch.size * batch.reach;
        pass.head = repeat(&self.parameters[HEAD_BIAS.range()], rows);
        multiply(&view(&batch.ahead, AHEAD), &self.view(AHEAD_HEAD).t(), 1.0, &mut pass.head);
        for (row, units) in pass.head.chunks_exact_mut(HEAD).enumerate() {
            let state = &from_state[row / batch.reach * HEAD..][..HEAD];
            units.iter_mut().zip(state).for_each(|(unit, from)| *unit = tanh(*unit + from));
        }
        pass.out = repeat(&self.parameters[OUT_BIAS.range()], rows);
        multiply(&view(&pass.head, HEAD), &self.view(OUT).t(), 1.0, &mut pass.out);
        pass
    }

    /// Runs the LSTM over the windows.
    fn recur(&self, batch: &Batch) -> Pass {
        let (gates_size, state_size) = (batch.size * GATES, batch.size * HIDDEN);
        let mut pass = Pass {
            gates: repeat(&self.parameters[B.range()], WINDOW * batch.size),
            cells: vec![0.0; (WINDOW + 1) * state_size],
            states: vec![0.0; (WINDOW + 1) * state_size],
            ..Pass::default()
        };
        multiply(&view(&batch.window, INPUTS), &self.view(W).t(), 1.0, &mut pass.gates);
        for step in 0..WINDOW {
            let gates = &mut pass.gates[step * gates_size..][..gates_size];
            let (past, next) = pass.states.split_at_mut((step + 1) * state_size);
            let state = &past[step * state_size..];
            multiply(&view(state, HIDDEN), &self.view(R).t(), 1.0, gates);
            let (past, cells) = pass.cells.split_at_mut((step + 1) * state_size);
            step_cells(gates, &past[step * state_size..], cells, next);
        }
        pass
    }

    /// The gradient of a loss in the parameters, given its gradient `d_out` in the outputs of `pass`.
    pub(crate) fn backward(&self, batch: &Batch, pass: &Pass, d_out: &[f32]) -> Vec<f32> {
        let mut gradient = vec![0.0; PARAMETERS];
        let d_state = self.head_backward(batch, pass, d_out, &mut gradient);
        let d_gates = self.recur_backward(batch, pass, d_state);
        let before_last = &pass.states[..WINDOW * batch.size * HIDDEN];
        let d = view(&d_gates, GATES);
        multiply(&d.t(), &view(&batch.window, INPUTS), 0.0, &mut gradient[W.range()]);
        multiply(&d.t(), &view(before_last, HIDDEN), 0.0, &mut gradient[R.range()]);
        add_rows(&d_gates, &mut gradient[B.range()]);
        gradient
    }

    /// The gradient in the heads' parameters; gives that in the last state.
    fn head_backward(
        &self,
        batch: &Batch,
        pass: &Pass,
        d_out: &[f32],
        gradient: &mut [f32],
    ) -> Vec<f32> {
        let d = view(d_out, OUTPUTS);
        multiply(&d.t(), &view(&pass.head, HEAD), 0.0, &mut gradient[OUT.range()]);
        add_rows(d_out, &mut gradient[OUT_BIAS.range()]);
        let mut d_head = vec![0.0; pass.head.len()];
        multiply(&d, &self.view(OUT), 0.0, &mut d_head);
        d_head.iter_mut().zip(&pass.head).for_each(|(d, unit)| *d *= 1.0 - unit * unit);
        let head = view(&d_head, HEAD);
        multiply(&head.t(), &view(&batch.ahead, AHEAD), 0.0, &mut gradient[AHEAD_HEAD.range()]);
        add_rows(&d_head, &mut gradient[HEAD_BIAS.range()]);
        let mut d_from_state = vec![0.0; batch.size * HEAD];
        for (row, units) in d_head.chunks_exact(HEAD).enumerate() {
            let sums = &mut d_from_state[row / batch.reach * HEAD..][..HEAD];
            sums.iter_mut().zip(units).for_each(|(sum, unit)| *sum += unit);
        }
        let last = &pass.states[WINDOW * batch.size * HIDDEN..];
        let from_state = view(&d_from_state, HEAD);
        multiply(&from_state.t(), &view(last, HIDDEN), 0.0, &mut gradient[STATE_HEAD.range()]);
        let mut d_state = vec![0.0; batch.size * HIDDEN];
        multiply(&from_state, &self.view(STATE_HEAD), 0.0, &mut d_state);
        d_state
    }

    /// The gradient in the gates before activation, from that in the last state back to the first step.
    fn recur_backward(&self, batch: &Batch, pass: &Pass, mut d_state: Vec<f32>) -> Vec<f32> {
        let (gates_size, state_size) = (batch.size * GATES, batch.size * HIDDEN);
        let mut d_gates = vec![0.0; pass.gates.len()];
        let mut d_cells = vec![0.0; state_size];
        for step in (0..WINDOW).rev() {
            let gates = &pass.gates[step * gates_size..][..gates_size];
            let cells = &pass.cells[step * state_size..][..2 * state_size];
            let d = &mut d_gates[step * gates_size..][..gates_size];
            step_cells_backward(gates, cells, &d_state, &mut d_cells, d);
            multiply(&view(d, GATES), &self.view(R), 0.0, &mut d_state);
        }
        d_gates
    }
}

/// Activates the gates of one step and moves cells and states on; all `size` windows.
fn step_cells(gates: &mut [f32], past: &[f32], cells: &mut [f32], states: &mut [f32]) {
    for (window, gate) in gates.chunks_exact_mut(GATES).enumerate() {
        let (sigmoids, candidate) = gate.split_at_mut(3 * HIDDEN);
        for value in sigmoids.iter_mut() {
            *value = sigmoid(*value);
        }
        for value in candidate.iter_mut() {
            *value = tanh(*value);
        }
        for unit in 0..HIDDEN {
            let at = window * HIDDEN + unit;
            let (input, forget) = (sigmoids[unit], sigmoids[2 * HIDDEN + unit]);
            cells[at] = forget * past[at] + input * candidate[unit];
            states[at] = sigmoids[HIDDEN + unit] * tanh(cells[at]);
        }
    }
}

/// The reverse of [`step_cells`]; `cells` holds those before and after the step, and `d_cells`
/// goes from the gradient after it to that before.
fn step_cells_backward(
    gates: &[f32],
    cells: &[f32],
    d_states: &[f32],
    d_cells: &mut [f32],
    d_gates: &mut [f32],
) {
    let (before, after) = cells.split_at(d_cells.len());
    for (at, d_cell) in d_cells.iter_mut().enumerate() {
        let (row, unit) = (at / HIDDEN * GATES, at % HIDDEN);
        let gate = |index: usize| gates[row + index * HIDDEN + unit];
        let (input, output, forget, candidate) = (gate(0), gate(1), gate(2), gate(3));
        let squashed = tanh(after[at]);
        let d = *d_cell + d_states[at] * output * (1.0 - squashed * squashed);
        let gates_now = [
            d * candidate * input * (1.0 - input),
            d_states[at] * squashed * output * (1.0 - output),
            d * before[at] * forget * (1.0 - forget),
            d * input * (1.0 - candidate * candidate),
        ];
        for (index, value) in gates_now.into_iter().enumerate() {
            d_gates[row + index * HIDDEN + unit] = value;
        }
        *d_cell = d * forget;
    }
}

/// Hyperbolic tangent as a quotient of polynomials, within 1e-6; compilers vectorise it, and the
/// backend that serves the network uses the same one (Eigen's).
fn tanh(x: f32) -> f32 {
    let x = x.clamp(-7.9, 7.9);
    let y = x * x;
    let odd = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297e-8,
        1.485_722_4e-5,
        6.372_619e-4,
        4.893_524_6e-3,
    ];
    let even = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    let horner = |sum: f32, c: &f32| sum * y + c;
    x * odd.iter().fold(0.0, horner) / even.iter().fold(0.0, horner)
}

fn sigmoid(x: f32) -> f32 {
    0.5 + 0.5 * tanh(0.5 * x)
}

fn repeat(row: &[f32], times: usize) -> Vec<f32> {
    row.repeat(times)
}

/// `values` as rows of `columns`; a whole number of rows.
fn view(values: &[f32], columns: usize) -> ArrayView2<'_, f32> {
    let rows = values.len() / columns;
    ArrayView2::from_shape((rows, columns), &values[..rows * columns])
        .unwrap_or_else(|_| unreachable!("the slice was cut to the shape"))
}

/// `into = a b + keep * into`, where `into` has the rows of `a` and the columns of `b`.
fn multiply(a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>, keep: f32, into: &mut [f32]) {
    let shape = (a.nrows(), b.ncols());
    let mut target = ArrayViewMut2::from_shape(shape, into)
        .unwrap_or_else(|_| unreachable!("callers size the target by the factors"));
    general_mat_mul(1.0, a, b, keep, &mut target);
}

/// Adds every row of `rows` to `sum`.
fn add_rows(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(total, value)| *total += value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    pub(super) fn random_batch(rng: &mut ChaCha8Rng, size: usize, reach: usize) -> Batch {
        let mut draw = |count: usize| -> Vec<f32> {
            (0..count).map(|_| rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
        };
        let (window, ahead) = (draw(WINDOW * size * INPUTS), draw(size * reach * AHEAD));
        Batch { size, reach, window, ahead }
    }

    fn loss(network: &Network, batch: &Batch) -> f64 {
        network.forward(batch).out.iter().map(|&o| 0.5 * f64::from(o) * f64::from(o)).sum()
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss_in_every_matrix() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut network = Network::new(&mut rng);
        for value in &mut network.parameters[OUT.range()] {
            *value = rng.next_u32() as f32 / u32::MAX as f32 - 0.5;
        }
        let batch = random_batch(&mut rng, 3, 5);
        let pass = network.forward(&batch);
        let gradient = network.backward(&batch, &pass, &pass.out);
        for matrix in [W, R, B, STATE_HEAD, AHEAD_HEAD, HEAD_BIAS, OUT, OUT_BIAS] {
            let largest = matrix
                .range()
                .max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()))
                .unwrap();
            for at in [matrix.offset, matrix.range().end - 1, largest] {
                let slope = slope(&network, &batch, at);
                let scale = f64::from(gradient[largest]).abs();
                let off = (slope - f64::from(gradient[at])).abs();
                assert!(off < 0.01 * scale, "{at}: {slope} is not {}", gradient[at]);
            }
        }
    }

    fn slope(network: &Network, batch: &Batch, at: usize) -> f64 {
        let moved = |by: f32| {
            let mut other = network.clone();
            other.parameters[at] += by;
            loss(&other, batch)
        };
        (moved(0.01) - moved(-0.01)) / 0.02
    }

    #[test]
    fn the_quick_tanh_is_within_a_millionth() {
        for i in -2000..2000 {
            let x = i as f32 / 150.0;
            assert!((tanh(x) - x.tanh()).abs() < 1.5e-6, "{x}");
        }
    }
}
