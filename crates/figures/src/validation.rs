//! The simulator against what was measured.

use crate::axis::Scale;
use crate::evidence::Validated;
use crate::figure::{Figure, WIDTH};
use crate::panel::{GUTTER, Key, Panel, legend};
use crate::scene::{Anchor, Area, Color, FONT_SIZE, Mark, Point, Scene};
use crate::style::{ArmStyle, Shape, solid};

const DOT: ArmStyle = ArmStyle {
    label: "a service",
    color: Color(0x2a, 0x6f, 0xb0),
    dashes: &[],
    shape: Shape::Circle,
};
const EQUAL: Color = Color(0x55, 0x5b, 0x62);
const WHITE: Color = Color(255, 255, 255);
/// Services whose error is above this share are named.
const FAR: f64 = 0.2;

/// Simulated against measured values of every service, a panel by quantity; `None` without any above zero.
pub(crate) fn validation(validated: &[Validated]) -> Option<Figure> {
    let mut quantities: Vec<&str> = Vec::new();
    let known = || validated.iter().filter(|one| one.measured > 0.0 && one.simulated > 0.0);
    known().for_each(|one| {
        if !quantities.contains(&one.quantity.as_str()) {
            quantities.push(&one.quantity);
        }
    });
    if quantities.is_empty() {
        return None;
    }
    let columns = quantities.len().min(3);
    let width = WIDTH / columns as f64;
    let side = (width - 46.0).min(150.0);
    let mut scene = Scene::new(WIDTH, 0.0);
    let equal = ArmStyle { color: EQUAL, ..DOT };
    let within = ArmStyle { dashes: &[2.0, 2.0], ..equal };
    let keys = [
        (Key::Marker(DOT), "a service (named where the error is above 20 %)".to_owned()),
        (Key::Line(equal), "equal".to_owned()),
        (Key::Line(within), "20 % more or less".to_owned()),
    ];
    let mut top = legend(&mut scene, &keys) + 20.0;
    for row in quantities.chunks(columns) {
        for (place, quantity) in row.iter().enumerate() {
            let left = GUTTER + 2.0 + place as f64 * width;
            let area = Area { left, top, right: left + side, bottom: top + side };
            let services: Vec<&Validated> =
                known().filter(|one| one.quantity == *quantity).collect();
            draw(&mut scene, area, quantity, &services, [equal, within]);
        }
        top += side + 52.0;
    }
    scene.height = top - 18.0;
    let alt = "What the simulator says of each service against what was measured under the same load, on logarithmic axes.";
    Some(Figure::new("simulator".to_owned(), "Simulated and measured".to_owned(), alt, scene))
}

fn draw(
    scene: &mut Scene,
    area: Area,
    quantity: &str,
    services: &[&Validated],
    [equal, within]: [ArmStyle; 2],
) {
    let scale = Scale::log(services.iter().flat_map(|one| {
        [one.measured / 1.1, one.simulated / 1.1, one.measured * 1.1, one.simulated * 1.1]
    }));
    let Scale::Log { min, max } = scale else { return };
    let panel = Panel { area, x: scale, y: scale };
    panel.rows(scene, &format!("{quantity}: simulated"));
    panel.columns(scene, "measured");
    scene.line(vec![panel.at(min, min), panel.at(max, max)], equal.stroke(0.6));
    let more = 1.0 + FAR;
    for (from, to) in
        [((min, min * more), (max / more, max)), ((min * more, min), (max, max / more))]
    {
        scene.line(vec![panel.at(from.0, from.1), panel.at(to.0, to.1)], within.stroke(0.6));
    }
    let places: Vec<Point> =
        services.iter().map(|one| panel.at(one.measured, one.simulated)).collect();
    for place in &places {
        scene.marker(*place, DOT, 2.4, true);
    }
    let mut taken: Vec<Area> = places
        .iter()
        .map(|place| {
            Area { left: place.x, top: place.y, right: place.x, bottom: place.y }.grown(3.0)
        })
        .collect();
    let far = services
        .iter()
        .zip(&places)
        .filter(|(one, _)| (one.simulated / one.measured - 1.0).abs() > FAR);
    for (one, place) in far {
        name(scene, area, &mut taken, &one.service, *place);
    }
}

/// Writes a name beside its point where there is room within the plot, and a thin line to it where that is further off.
fn name(scene: &mut Scene, area: Area, taken: &mut Vec<Area>, service: &str, place: Point) {
    let down = 0.36 * FONT_SIZE;
    let nearby = [0.0, -9.0, 9.0, -18.0, 18.0, -27.0, 27.0];
    let candidates = nearby.into_iter().flat_map(|dy| {
        [(5.0, Anchor::Start), (-5.0, Anchor::End)].map(|(dx, anchor)| {
            let at = Point { x: place.x + dx, y: place.y + down + dy };
            (Mark::Text { at, anchor, text: service.to_owned() }, dy)
        })
    });
    let fits = |mark: &Mark| {
        let own = mark.area();
        let inside = own.left >= area.left
            && own.right <= area.right
            && own.top >= area.top
            && own.bottom <= area.bottom;
        inside
            && !taken.iter().any(|other| {
                own.left < other.right
                    && other.left < own.right
                    && own.top < other.bottom
                    && other.top < own.bottom
            })
    };
    let found = candidates.into_iter().find(|(mark, _)| fits(mark));
    if let Some((mark, dy)) = found {
        taken.push(mark.area());
        if let (Mark::Text { at, .. }, true) = (&mark, dy != 0.0) {
            scene.line(vec![place, Point { x: at.x, y: at.y - down }], solid(EQUAL, 0.4));
        }
        scene.fill(mark.area().corners(), WHITE);
        scene.marks.push(mark);
    }
}
