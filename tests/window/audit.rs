//! The accessibility audit: axe-core in the real window.

use serde_json::{Value, json};

use crate::app::App;

/// What axe-core finds wrong, as lines to read; empty if nothing.
const RUN: &str = "
const [done] = arguments;
axe.run(document, { resultTypes: ['violations'] }).then(
  (results) => done({
    passed: results.passes.length,
    found: results.violations.flatMap((v) => v.nodes.map((n) =>
      `${v.id} (${v.impact}): ${v.help}\\n    ${n.html.slice(0, 200)}\\n    ${n.failureSummary}`)),
  }),
  (error) => done({ failed: String(error) }),
);";

impl App {
    /// Waits until nothing is on its way to another place or colour.
    pub(crate) async fn still(&self) {
        let over = "document.getAnimations().every((one) => \
                    one.playState !== 'running' || one.effect?.getComputedTiming().iterations === Infinity)";
        self.until_js("nothing moves", over, json!(null)).await;
    }

    /// Runs the audit over what the window shows; nothing may be found.
    pub(crate) async fn audit(&self, view: &str) {
        if self.js("return window.axe === undefined", vec![]).await == json!(true) {
            self.js(&axe(), vec![]).await;
        }
        self.still().await;
        let results = self.client.execute_async(RUN, vec![]).await.unwrap();
        assert_eq!(results["failed"], Value::Null, "{view}");
        assert!(
            results["passed"].as_u64().unwrap() > 10,
            "{view}: {results}"
        );
        let found: Vec<String> = serde_json::from_value(results["found"].clone()).unwrap();
        assert!(
            found.is_empty(),
            "axe-core on {view}:\n{}",
            found.join("\n")
        );
    }
}

fn axe() -> String {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/ui/node_modules/axe-core/axe.min.js"
    );
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error} (make setup)"))
}
