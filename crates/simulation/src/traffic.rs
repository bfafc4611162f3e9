//! Requests along the edges of the call graph.

use crate::load::{Load, swings};
use crate::noise::{Noise, Purpose};
use crate::profile::{EDGES, FRONTEND, PROFILES};
use crate::window::Window;

/// What was received in each step of a window, in requests per second.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// By workload.
    pub(crate) received: Vec<Vec<f64>>,
    /// By edge.
    pub(crate) calls: Vec<Vec<f64>>,
}

impl Traffic {
    /// One realisation over `window`: every request arrives, and every call is made, independently.
    pub(crate) fn draw(load: Load, noise: Noise, window: Window) -> Self {
        let seconds: Vec<i64> = window.seconds().collect();
        let swings = swings(noise, &seconds);
        let width = f64::from(window.step.seconds());
        let count = |purpose: Purpose, stream: usize, means: &mut dyn Iterator<Item = f64>| {
            let mut draws = noise.draws(purpose, stream, 0, window.first);
            means.map(|rate| draws.poisson(rate * width) / width).collect::<Vec<f64>>()
        };
        let mut entering = seconds.iter().zip(&swings).map(|(s, swing)| load.expected(*s) * swing);
        let mut received = vec![vec![0.0; window.len]; PROFILES.len()];
        received[FRONTEND] = count(Purpose::Arrivals, 0, &mut entering);
        let mut calls = Vec::with_capacity(EDGES.len());
        for (index, edge) in EDGES.iter().enumerate() {
            let mut means = received[edge.caller].iter().map(|rate| rate * edge.ratio);
            let made = count(Purpose::Calls, index, &mut means);
            received[edge.callee].iter_mut().zip(&made).for_each(|(sum, rate)| *sum += rate);
            calls.push(made);
        }
        Self { received, calls }
    }
}
