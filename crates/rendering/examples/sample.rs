//! Renders a report of a shop that could be: `cargo run -p mora-rendering --example sample -- FORMAT [WIDTH]`.
//!
//! With a width, a table is coloured. The pictures in the documentation are made of it.

#[path = "sample/report.rs"]
#[allow(dead_code, reason = "its other reports are for tests")]
mod sample;

use std::process::ExitCode;

use mora_rendering::{OutputFormat, RenderOptions, render};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().unwrap_or_default().parse::<OutputFormat>();
    let width = arguments.next().and_then(|text| text.parse().ok());
    let options = RenderOptions {
        colours: width.is_some(),
        width,
        command: Some("mora recommend".to_owned()),
    };
    let rendered = format.map_err(|error| error.to_string()).and_then(|format| {
        render(&sample::shop(), format, &options).map_err(|error| error.to_string())
    });
    match rendered {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
