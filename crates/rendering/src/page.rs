//! A page that needs nothing from outside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::html::escape;

/// A page with a title and a button for light and dark. A policy in it lets nothing but its own style and script in.
#[derive(Debug, Clone, Copy)]
pub struct OfflinePage<'a> {
    /// The title, as text.
    pub title: &'a str,
    /// What stands below the title, as HTML.
    pub about: &'a str,
    /// The style sheet.
    pub style: &'a str,
    /// The script, which makes the button `theme` work.
    pub script: &'a str,
}

impl OfflinePage<'_> {
    /// The whole page around `main`, with `footer` and after it `data`, elements that are not shown; all of them HTML.
    #[must_use]
    pub fn around(&self, main: &str, footer: &str, data: &str) -> String {
        let Self { about, style, script, .. } = self;
        let (title, policy) = (escape(self.title), escape(&self.policy()));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n\
             <header><div><h1>{title}</h1>\n<p class=\"about\">{about}</p></div>\
             <button id=\"theme\" type=\"button\" hidden>Dark</button></header>\n<main>\n\
             {main}</main>\n<footer>{footer}</footer>\n{data}<script>{script}</script>\n</body>\n</html>\n"
        )
    }

    fn policy(&self) -> String {
        format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
            source(self.style),
            source(self.script)
        )
    }
}

/// The hash by which the page's policy knows a style or a script.
pub(crate) fn source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_knows_the_style_and_the_script_as_they_are_in_the_page() {
        let page = OfflinePage { title: "a < b", about: "", style: "p{}", script: "let x;" };
        let page = page.around("<p>1</p>", "", "");
        for (start, end, expected) in
            [("<style>", "</style>", "p{}"), ("<script>", "</script>", "let x;")]
        {
            let text = page.split_once(start).unwrap().1.split_once(end).unwrap().0;
            assert_eq!(text, expected);
            assert!(page.contains(&escape(&source(text))), "{start}");
        }
        assert!(page.contains("<title>a &lt; b</title>"));
    }
}
