//! The HTML report in a real browser.

use mora_rendering::{OutputFormat, RenderOptions, render};
use mora_scan::ScanReport;
use mora_tests::{Browser, BrowserError};
use serde_json::{Value, json};

use crate::rendering::sample;

type Checked = Result<(), BrowserError>;

/// Opens the report as a file and runs the checks; then nothing may be on the console, nothing may have been fetched, and the
/// browser is ended whether the checks passed or not.
async fn in_browser<F>(report: &ScanReport, dark: bool, checks: fn(Browser) -> F)
where
    F: Future<Output = Checked> + Send + 'static,
{
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let options =
        RenderOptions { command: Some("mora recommend".to_owned()), ..RenderOptions::default() };
    std::fs::write(&path, render(report, OutputFormat::Html, &options).unwrap()).unwrap();
    let (browser, guard) = Browser::start(dark).await.unwrap_or_else(|error| panic!("{error}"));
    let address = format!("file://{}", path.display());
    let task = tokio::spawn({
        let browser = browser.clone();
        async move {
            browser.open(&address).await?;
            checks(browser.clone()).await?;
            assert_eq!(browser.console().await?, Vec::<String>::new(), "the console is not empty");
            let fetched =
                browser.run("return performance.getEntriesByType('resource').map((e) => e.name)");
            assert_eq!(fetched.await?, json!([]), "something was fetched");
            Checked::Ok(())
        }
    });
    let outcome = task.await;
    browser.close().await.unwrap();
    drop(guard);
    outcome.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())).unwrap();
}

/// What the rows that are shown say in a column, as it is sorted.
async fn column(browser: &Browser, column: usize) -> Result<Vec<String>, BrowserError> {
    let script = format!(
        "return [...document.querySelectorAll('tr.row')].filter((row) => !row.hidden).map((row) => row.cells[{column}].dataset.v)"
    );
    Ok(serde_json::from_value(browser.run(&script).await?).unwrap())
}

/// As a column of numbers is to be: in order, what is no number at the end.
fn ordered(values: &[String], descending: bool) -> Vec<String> {
    let mut sorted = values.to_vec();
    let key = |text: &String| text.parse::<f64>().ok();
    sorted.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) if descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    sorted
}

#[tokio::test]
async fn a_heading_sorts_both_ways_by_click_and_by_key() {
    in_browser(&sample::shop(), false, |browser| async move {
        let before = column(&browser, 4).await?;
        assert!(before.contains(&String::new()), "no request that is not set: {before:?}");
        browser.click("th[data-column='4'] button").await?;
        assert_eq!(column(&browser, 4).await?, ordered(&before, true));
        assert_ne!(ordered(&before, true), before);
        browser.keys("th[data-column='4'] button", "\u{e007}").await?;
        assert_eq!(column(&browser, 4).await?, ordered(&before, false));
        let told =
            "return document.querySelector('th[data-column=\"4\"]').getAttribute('aria-sort')";
        assert_eq!(browser.run(told).await?, "ascending");
        browser.click("th[data-column='1'] button").await?;
        let names = column(&browser, 1).await?;
        assert!(names.is_sorted(), "{names:?}");
        let told = "return document.querySelectorAll('th[aria-sort=none]').length";
        assert_eq!(browser.run(told).await?, 12);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn words_and_severities_filter_and_the_count_follows() {
    in_browser(&sample::shop(), false, |browser| async move {
        let count = "return document.querySelector('#shown').textContent";
        assert_eq!(browser.run(count).await?, "12 containers");
        browser.keys("#filter", "SERVICE deploy cart").await?;
        assert_eq!(column(&browser, 2).await?.len(), 1);
        assert_eq!(browser.run(count).await?, "1 of 12 containers");
        browser.keys("#filter", &"\u{e003}".repeat(20)).await?;
        assert_eq!(column(&browser, 2).await?.len(), 12);
        browser.click(".chip[data-severity=critical]").await?;
        let ranks = column(&browser, 0).await?;
        assert!(!ranks.is_empty() && !ranks.contains(&"4".to_owned()), "{ranks:?}");
        Ok(())
    })
    .await;
}

/// For each plot: its title, and how many points of each line are inside the frame and outside of it.
const POINTS: &str = "
    return [...document.querySelectorAll('svg.plot')].map((svg) => {
      const box = svg.viewBox.baseVal;
      const lines = {};
      for (const path of svg.querySelectorAll('path:not(.grid):not(.cursor)')) {
        const length = path.getTotalLength();
        const counts = lines[path.getAttribute('class')] = [0, 0];
        for (let i = 0; i <= 100; i++) {
          const at = path.getPointAtLength(length * i / 100);
          const inside = length > 0 && at.x >= box.x && at.x <= box.x + box.width && at.y >= box.y && at.y <= box.y + box.height;
          counts[inside ? 0 : 1] += 1;
        }
      }
      const texts = [...svg.querySelectorAll('text')].map((text) => text.textContent);
      return { lines, texts, label: svg.getAttribute('aria-label') };
    });";

#[tokio::test]
async fn a_workload_that_is_opened_shows_its_plots_and_is_closed_again() {
    in_browser(&sample::shop(), false, |browser| async move {
        assert_eq!(browser.run(POINTS).await?, json!([]), "plots are drawn before anyone asks");
        browser.click("tr.row .open").await?;
        let plots = browser.run(POINTS).await?;
        assert_eq!(plots.as_array().map(Vec::len), Some(2), "{plots}");
        for plot in plots.as_array().unwrap() {
            for line in ["usage", "area", "now", "next", "forecast"] {
                assert_eq!(plot["lines"][line], json!([101, 0]), "{line}: {plot}");
            }
            let texts = plot["texts"].as_array().unwrap();
            assert!(texts.contains(&json!("UTC")) && texts.contains(&json!("13 Nov")), "{plot}");
        }
        assert!(
            plots[0]["label"]
                .as_str()
                .unwrap()
                .starts_with("CPU over time in cores: request now 1, recommended 0.31"),
            "{plots}"
        );
        assert!(
            plots[1]["label"].as_str().unwrap().starts_with("Memory over time in MiB"),
            "{plots}"
        );
        let shown = "return [...document.querySelectorAll('tr.detail')].map((row) => row.hidden)";
        assert_eq!(browser.run(shown).await?, json!([false]));
        browser.click("th[data-column='4'] button").await?;
        let follows =
            "return document.querySelector('tr.detail').previousElementSibling.dataset.key";
        assert_eq!(browser.run(follows).await?, "/shop/Deployment/frontend/server");
        browser.click(".open[aria-expanded=true]").await?;
        assert_eq!(browser.run(shown).await?, json!([true]));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_row_has_an_address_and_a_pointer_is_told_what_it_is_over() {
    in_browser(&sample::shop(), false, |browser| async move {
        browser.run("location.hash = '#/shop/StatefulSet/redis-cart/redis'").await?;
        let opened =
            "return document.querySelector('.open[aria-expanded=true] .name')?.textContent";
        assert_eq!(browser.run(opened).await?, "redis-cart");
        let over = "
            const svg = document.querySelector('svg.plot'), box = svg.getBoundingClientRect();
            const at = { clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true };
            svg.dispatchEvent(new PointerEvent('pointermove', at));
            return svg.closest('figure').querySelector('i').textContent";
        let told = browser.run(over).await?;
        let told = told.as_str().unwrap();
        assert!(
            told.contains("Nov") && told.contains("UTC: ") && told.ends_with(" millicores"),
            "{told}"
        );
        Ok(())
    })
    .await;
}

/// The worst contrast of a text to what is behind it, and that text.
const CONTRAST: &str = "
    const parts = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
    const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const luminance = (rgb) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
    let worst = [99, ''], count = 0;
    for (const element of document.querySelectorAll('body *:not(script):not(noscript)')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (!own || element.closest('noscript, svg, [hidden]')) continue;
      let behind = element;
      while (behind && parts(getComputedStyle(behind).backgroundColor).a === 0) behind = behind.parentElement;
      const paper = luminance(parts(getComputedStyle(behind || document.body).backgroundColor).rgb);
      const ink = luminance(parts(getComputedStyle(element).color).rgb);
      const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      count += 1;
      if (contrast < worst[0]) worst = [contrast, element.textContent.slice(0, 60)];
    }
    return [...worst, count];";

const BACKGROUND: &str = "return getComputedStyle(document.body).backgroundColor";

/// Checks a page that is light, or dark, as the system prefers, and its button that turns it.
async fn both_themes(browser: &Browser, [first, second]: [&str; 2]) -> Checked {
    browser.click("tr.row .open").await?;
    for background in [first, second] {
        assert_eq!(browser.run(BACKGROUND).await?, background);
        let worst = browser.run(CONTRAST).await?;
        println!("{background}: worst contrast {worst}");
        assert!(worst[2].as_u64().unwrap() > 100, "{worst}");
        assert!(worst[0].as_f64().unwrap() >= 4.5, "{worst}");
        browser.click("#theme").await?;
    }
    assert_eq!(browser.run(BACKGROUND).await?, first);
    Ok(())
}

const LIGHT: &str = "rgb(255, 255, 255)";
const DARK: &str = "rgb(20, 23, 26)";

#[tokio::test]
async fn the_page_is_light_or_dark_as_the_system_prefers_and_can_be_turned_and_read_either_way() {
    in_browser(&sample::shop(), false, |browser| async move {
        both_themes(&browser, [LIGHT, DARK]).await
    })
    .await;
    in_browser(&sample::shop(), true, |browser| async move {
        both_themes(&browser, [DARK, LIGHT]).await
    })
    .await;
}

#[tokio::test]
async fn hostile_texts_are_shown_as_texts() {
    in_browser(&sample::every_case(), false, |browser| async move {
        browser.run("window.alert = () => console.error('a text ran')").await?;
        browser
            .run("document.querySelectorAll('.open').forEach((button) => button.click())")
            .await?;
        let note = "return document.querySelector('tr.detail li').textContent";
        assert_eq!(browser.run(note).await?, "<script>alert('x')</script> | `a` \"b\"\nnext line");
        let title: Value = browser.run("return document.title").await?;
        assert!(title.as_str().unwrap().ends_with("prod-eu, it's \"prod\" $(id)"), "{title}");
        let scripts = browser.run("return document.scripts.length").await?;
        assert_eq!(scripts, 2);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn five_hundred_containers_are_sorted_filtered_and_drawn() {
    in_browser(&sample::many(500), false, |browser| async move {
        let took = browser
            .run(
                "const timing = performance.getEntriesByType('navigation')[0];
                 const loaded = timing.domContentLoadedEventEnd;
                 const began = performance.now();
                 document.querySelector('th[data-column=\"6\"] button').click();
                 const sorted = performance.now() - began;
                 document.querySelector('#filter').value = 'frontend';
                 document.querySelector('#filter').dispatchEvent(new Event('input'));
                 const filtered = performance.now() - began - sorted;
                 document.querySelectorAll('tr.row:not([hidden]) .open').forEach((button) => button.click());
                 const drawn = performance.now() - began - sorted - filtered;
                 return { loaded, sorted, filtered, drawn }",
            )
            .await?;
        println!("milliseconds: {took}");
        assert_eq!(column(&browser, 1).await?.len(), 42);
        let changes = column(&browser, 6).await?;
        assert_eq!(changes, ordered(&changes, true));
        assert_eq!(browser.run("return document.querySelectorAll('svg.plot').length").await?, 84);
        Ok(())
    })
    .await;
}
