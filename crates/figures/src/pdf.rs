//! A drawing as a PDF of one page.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::helvetica;
use crate::scene::{Anchor, Color, FONT_SIZE, INK, Mark, Point, Scene, Stroke};

const FONT: Name = Name(b"F1");

/// The drawing on a page of its size. There is no time and no identifier in it: one drawing is always the same bytes.
pub(crate) fn pdf(scene: &Scene, title: &str) -> Vec<u8> {
    let [catalog, pages, page, font, content, about] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut sheet = pdf.page(page);
    sheet.media_box(Rect::new(0.0, 0.0, scene.width as f32, scene.height as f32));
    sheet.parent(pages).contents(content);
    sheet.resources().fonts().pair(FONT, font);
    sheet.finish();
    pdf.type1_font(font)
        .base_font(Name(b"Helvetica"))
        .encoding_predefined(Name(b"WinAnsiEncoding"));
    pdf.stream(content, &drawn(scene));
    pdf.document_info(about).title(TextStr(title));
    pdf.finish()
}

fn drawn(scene: &Scene) -> Vec<u8> {
    let mut content = Content::new();
    // Points are from the upper left corner here, and from the lower left one in PDF.
    let flipped = |point: Point| (point.x as f32, (scene.height - point.y) as f32);
    for mark in &scene.marks {
        content.save_state();
        match mark {
            Mark::Path { points, stroke, fill } => {
                for (index, &point) in points.iter().enumerate() {
                    let (x, y) = flipped(point);
                    if index == 0 {
                        content.move_to(x, y)
                    } else {
                        content.line_to(x, y)
                    };
                }
                paint(&mut content, stroke.as_ref(), *fill);
            }
            Mark::Circle { centre, radius, stroke, fill } => {
                circle(&mut content, flipped(*centre), *radius as f32);
                paint(&mut content, stroke.as_ref(), *fill);
            }
            Mark::Text { at, anchor, text } => write(&mut content, flipped(*at), *anchor, text),
        }
        content.restore_state();
    }
    content.finish().to_vec()
}

fn write(content: &mut Content, (x, y): (f32, f32), anchor: Anchor, text: &str) {
    let width = (helvetica::width(text) * FONT_SIZE) as f32;
    let left = match anchor {
        Anchor::Start => x,
        Anchor::Middle => x - width / 2.0,
        Anchor::End => x - width,
    };
    let [red, green, blue] = shares(INK);
    content.set_fill_rgb(red, green, blue).begin_text().set_font(FONT, FONT_SIZE as f32);
    content.next_line(left, y).show(Str(&helvetica::encoded(text))).end_text();
}

/// Four curves; 0.5523 of the radius is how far their handles reach.
fn circle(content: &mut Content, (x, y): (f32, f32), radius: f32) {
    let reach = 0.5523 * radius;
    content.move_to(x + radius, y);
    for (dx, dy) in [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0_f32)] {
        // A quarter turn to the left of (dx, dy) is (-dy, dx).
        let (ex, ey) = (-dy, dx);
        content.cubic_to(
            x + dx * radius + ex * reach,
            y + dy * radius + ey * reach,
            x + ex * radius + dx * reach,
            y + ey * radius + dy * reach,
            x + ex * radius,
            y + ey * radius,
        );
    }
}

fn paint(content: &mut Content, stroke: Option<&Stroke>, fill: Option<Color>) {
    if let Some(Stroke { color, width, dashes }) = stroke {
        let [red, green, blue] = shares(*color);
        content.set_stroke_rgb(red, green, blue).set_line_width(*width as f32);
        content.set_line_join(pdf_writer::types::LineJoinStyle::RoundJoin);
        content.set_dash_pattern(dashes.iter().map(|dash| *dash as f32), 0.0);
    }
    if let Some(fill) = fill {
        let [red, green, blue] = shares(fill);
        content.set_fill_rgb(red, green, blue);
    }
    match (stroke, fill) {
        (Some(_), Some(_)) => content.close_fill_nonzero_and_stroke(),
        (None, Some(_)) => content.fill_nonzero(),
        (Some(_), None) => content.stroke(),
        (None, None) => content.end_path(),
    };
}

fn shares(Color(red, green, blue): Color) -> [f32; 3] {
    [red, green, blue].map(|value| f32::from(value) / 255.0)
}
