//! One view, seen in both sizes.

use serde_json::{Value, json};

use crate::{app::App, page::pictures};

/// The size that the window opens with, and the smallest.
pub(crate) const SIZES: [(u32, u32); 2] = [(1280, 800), (800, 500)];

impl App {
    /// Pictures of what the window shows, in both sizes, and the audit.
    pub(crate) async fn see(&self, view: &str, theme: &str) {
        for size in SIZES {
            self.resize(size).await;
            self.look(view, theme, size).await;
        }
        self.resize(SIZES[0]).await;
    }

    /// A picture of what the window shows in the size that it has, and the audit.
    pub(crate) async fn look(&self, view: &str, theme: &str, (width, height): (u32, u32)) {
        let name = format!("{view}-{theme}-{width}x{height}");
        self.audit(&name).await;
        let png = self.picture(&name).await;
        // A PNG begins with its width and height.
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        let place = pictures();
        assert_eq!(
            (number(16), number(20)),
            (width, height),
            "{name} in {}",
            place.display()
        );
        self.nothing_is_cut_off(&name).await;
    }

    /// Nothing that can be pressed or typed into lies outside of the page, and the page itself does not scroll.
    async fn nothing_is_cut_off(&self, view: &str) {
        let look = "
            const page = document.documentElement;
            const outside = [...document.querySelectorAll('button, input, select, [role=menuitem], [role=dialog], dialog')]
              .filter((e) => e.getClientRects().length > 0 && !e.closest('.hidden-visually'))
              .filter((e) => {
                const b = e.getBoundingClientRect();
                const scrolls = (p) => p !== null && getComputedStyle(e).position !== 'fixed' && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX) || scrolls(p.parentElement));
                return (b.left < -1 || b.top < -1 || b.right > innerWidth + 1 || b.bottom > innerHeight + 1) && !scrolls(e.parentElement);
              })
              .map((e) => e.outerHTML.slice(0, 160));
            if (page.scrollWidth > innerWidth || page.scrollHeight > innerHeight) outside.push(`the page scrolls: ${page.scrollWidth} x ${page.scrollHeight}`);
            return outside;";
        let outside: Value = self.js(look, vec![]).await;
        assert_eq!(outside, json!([]), "{view}: outside of the page");
    }
}
