//! Draws an evaluation that could be: `cargo run -p mora-figures --example drawn -- FOLDER`.
//!
//! The folder then has each figure as SVG and PDF, and the page.

#[path = "sample/evaluation.rs"]
mod sample;

use std::path::PathBuf;
use std::{env, fs, io};

use mora_figures::{Evidence, Figure, Validated, figures, html};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("name the folder to write to"))?;
    fs::create_dir_all(&folder)?;
    let comparison = sample::comparison();
    let figures = sample::figures(&comparison);
    for figure in &figures {
        fs::write(folder.join(format!("{}.svg", figure.name())), figure.svg())?;
        fs::write(folder.join(format!("{}.pdf", figure.name())), figure.pdf())?;
    }
    fs::write(folder.join("index.html"), html(&comparison, &figures))
}
