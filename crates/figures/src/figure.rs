//! A finished figure.

use crate::scene::Scene;
use crate::{pdf, svg};

/// Width of every figure in points: that of a text column.
pub(crate) const WIDTH: f64 = 460.0;

/// A figure that can be written as SVG or PDF.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    name: String,
    title: String,
    alt: String,
    scene: Scene,
}

impl Figure {
    pub(crate) fn new(name: String, title: String, alt: &str, scene: Scene) -> Self {
        Self { name, title, alt: alt.to_owned(), scene }
    }

    /// A name for its file, without extension.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What can be seen in it, in words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.alt
    }

    /// As SVG, which stands alone and within HTML.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::svg(&self.scene, &self.title, &self.alt)
    }

    /// As a PDF of one page of the figure's size.
    #[must_use]
    pub fn pdf(&self) -> Vec<u8> {
        pdf::pdf(&self.scene, &self.title)
    }

    #[cfg(test)]
    pub(crate) const fn scene(&self) -> &Scene {
        &self.scene
    }
}
