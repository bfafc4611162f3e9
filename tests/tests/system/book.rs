//! The documentation is a whole book: every page is in its list, and every link in it leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A page: what it links to, and the anchors of its headings.
#[derive(Debug, Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

const LIST: &str = "SUMMARY.md";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs")
}

/// The Markdown files below `folder`, by their path in it.
fn pages(folder: &Path) -> BTreeMap<PathBuf, Page> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let page = read(&fs::read_to_string(&path).unwrap());
                pages.insert(path.strip_prefix(folder).unwrap().to_owned(), page);
            }
        }
    }
    pages
}

/// Looks through a page, without what stands in blocks of code.
fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut paragraph = String::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            if line.starts_with('#') {
                let anchor = anchor(line, &page.anchors);
                page.anchors.insert(anchor);
            }
            if line.trim().is_empty() {
                page.links.extend(links(&std::mem::take(&mut paragraph)));
            }
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    page.links.extend(links(&paragraph));
    page
}

/// The anchor that a heading gets: by its words, and a number where another heading of the page has it.
fn anchor(heading: &str, taken: &BTreeSet<String>) -> String {
    let mut text = heading.trim_start_matches('#').trim().to_lowercase();
    if let (Some(from), Some(to)) = (text.find("]("), text.rfind(')')) {
        text.replace_range(from..to, "");
    }
    let words: String = text
        .chars()
        .filter_map(|c| match c {
            _ if c.is_whitespace() => Some('-'),
            _ if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect();
    let numbered = (1..).map(|n| format!("{words}-{n}"));
    std::iter::once(words.clone()).chain(numbered).find(|a| !taken.contains(a)).unwrap()
}

/// Where the links and images of a paragraph lead.
fn links(paragraph: &str) -> Vec<String> {
    let text = without_code(paragraph);
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| rest.split(')').next()).map(|target| target.trim().to_owned()).collect()
}

/// A paragraph without its code spans, which a run of as many backticks ends as began it.
fn without_code(paragraph: &str) -> String {
    let (mut kept, mut rest) = (String::new(), paragraph);
    while let Some(start) = rest.find('`') {
        let length = rest[start..].chars().take_while(|c| *c == '`').count();
        let (fence, after) = rest[start..].split_at(length);
        kept.push_str(&rest[..start]);
        match after.find(fence) {
            Some(end) => rest = &after[end + length..],
            None => rest = after,
        }
    }
    kept + rest
}

/// `target`, seen from `page`, as a path below the folder; `None` where it leaves it.
fn resolved(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path: Vec<_> = page.parent()?.components().collect();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(_) => path.push(part),
            Component::ParentDir => drop(path.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path.into_iter().collect())
}

/// What is wrong with one link of `page`, if anything is.
fn fault(
    folder: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    page: &Path,
    link: &str,
) -> Option<String> {
    if ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
    let at = format!("{}: ]({link})", page.display());
    let path = if target.is_empty() { Some(page.to_owned()) } else { resolved(page, target) };
    let Some(path) = path else { return Some(format!("{at} leaves the book")) };
    if !folder.join(&path).is_file() {
        return Some(format!("{at} leads to no file"));
    }
    let has_anchor = pages.get(&path).is_none_or(|page| page.anchors.contains(fragment));
    (!fragment.is_empty() && !has_anchor).then(|| format!("{at} leads to no heading"))
}

/// Everything that is wrong with the book in `folder`.
fn faults(folder: &Path) -> Vec<String> {
    let pages = pages(folder);
    let Some(list) = pages.get(Path::new(LIST)) else { return vec![format!("{LIST} is missing")] };
    let links = list.links.iter().filter_map(|link| resolved(Path::new(LIST), link));
    let listed: Vec<PathBuf> = links.collect();
    let places = pages.keys().filter(|page| *page != Path::new(LIST)).filter_map(|page| {
        let count = listed.iter().filter(|path| *path == page).count();
        (count != 1).then(|| format!("{}: {count} times in {LIST}", page.display()))
    });
    let broken = pages.iter().flat_map(|(path, page)| {
        page.links.iter().filter_map(|link| fault(folder, &pages, path, link))
    });
    places.chain(broken).collect()
}

#[test]
fn every_page_is_in_the_list_and_every_link_leads_somewhere() {
    let faults = faults(&docs());
    assert!(faults.is_empty(), "mend docs/:\n{}", faults.join("\n"));
}

#[test]
fn a_page_that_is_not_listed_and_links_that_lead_nowhere_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(LIST, "# Summary\n\n- [One](one.md)\n- [Two](deep/two.md)\n- [Gone](gone.md)\n");
    write(
        "one.md",
        "# One `a_b`\n\n[ok](deep/two.md#two), [`ok`](#one-a_b), `[code](none.md)`, [web](https://example.org/x)\n\n```\n[code](none.md)\n```\n\n![picture](no.png) [out](../README.md) [heading](deep/two.md#three)\n",
    );
    write("deep/two.md", "# Two\n\n# Two\n\n[back](../one.md) [again](#two-1)\n");
    write("lost.md", "# Lost\n");
    let expected = [
        "lost.md: 0 times in SUMMARY.md",
        "SUMMARY.md: ](gone.md) leads to no file",
        "one.md: ](no.png) leads to no file",
        "one.md: ](../README.md) leaves the book",
        "one.md: ](deep/two.md#three) leads to no heading",
    ];
    assert_eq!(faults(folder.path()), expected);
}
