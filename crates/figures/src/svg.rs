//! A drawing as SVG.

use mora_rendering::escape_html as escape;

use crate::helvetica;
use crate::scene::{Anchor, Color, FONT_SIZE, INK, Mark, Point, Scene, Stroke};

/// The drawing on a white ground, with what it shows in words for those who cannot see it.
pub(crate) fn svg(scene: &Scene, title: &str, description: &str) -> String {
    let (width, height) = (number(scene.width), number(scene.height));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}pt\" height=\"{height}pt\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\" font-size=\"{}\">\n\
         <title>{}</title>\n<desc>{}</desc>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        number(FONT_SIZE),
        escape(title),
        escape(description)
    );
    scene.marks.iter().for_each(|mark| text += &element(mark));
    text + "</svg>\n"
}

fn element(mark: &Mark) -> String {
    match mark {
        Mark::Path { points, stroke, fill } => {
            let path: Vec<String> = points.iter().map(|&point| place(point)).collect();
            let close = if fill.is_some() { "Z" } else { "" };
            format!("<path d=\"M{}{close}\"{}/>\n", path.join("L"), paint(stroke.as_ref(), *fill))
        }
        Mark::Circle { centre, radius, stroke, fill } => format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}/>\n",
            number(centre.x),
            number(centre.y),
            number(*radius),
            paint(stroke.as_ref(), *fill)
        ),
        Mark::Text { at, anchor, text } => {
            // Where there is no Helvetica another font has to be as wide.
            let length = number(helvetica::width(text) * FONT_SIZE);
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let (x, y) = (number(at.x), number(at.y));
            format!(
                "<text x=\"{x}\" y=\"{y}\"{anchor} textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\">{}</text>\n",
                hex(INK),
                escape(text)
            )
        }
    }
}

fn paint(stroke: Option<&Stroke>, fill: Option<Color>) -> String {
    let mut text = format!(" fill=\"{}\"", fill.map_or_else(|| "none".to_owned(), hex));
    if let Some(Stroke { color, width, dashes }) = stroke {
        text += &format!(" stroke=\"{}\" stroke-width=\"{}\"", hex(*color), number(*width));
        if !dashes.is_empty() {
            let dashes: Vec<String> = dashes.iter().map(|dash| number(*dash)).collect();
            text += &format!(" stroke-dasharray=\"{}\"", dashes.join(" "));
        }
        text += " stroke-linejoin=\"round\"";
    }
    text
}

fn place(point: Point) -> String {
    format!("{} {}", number(point.x), number(point.y))
}

/// To a hundredth of a point, without zeros at the end.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn hex(Color(red, green, blue): Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_as_it_was_looked_at() {
        let mut scene = Scene::new(40.0, 20.5);
        let stroke = Stroke { color: Color(0, 128, 255), width: 0.75, dashes: &[3.0, 1.5] };
        let points = vec![Point { x: 0.0, y: 1.0 / 3.0 }, Point { x: 10.0, y: -0.001 }];
        scene.line(points.clone(), stroke);
        scene.fill([points, vec![Point { x: 5.0, y: 5.0 }]].concat(), Color(1, 2, 3));
        scene.text(3.0, 9.0, Anchor::End, "a < b & 'c'");
        insta::assert_snapshot!("svg", svg(&scene, "A \"title\"", "What is shown"));
    }
}
