//! Looking at the window and using it, by the names of `ui/src/lib/testids.ts`.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use fantoccini::{
    Locator,
    actions::{
        Actions, InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
    },
    elements::Element,
    error::CmdError,
    key::Key,
};
use serde_json::{Value, json};

use crate::{app::App, desktop::PATIENCE};

/// Between two looks: short against what a person notices, long against what a look costs.
const LOOK: Duration = Duration::from_millis(25);

/// The CSS selector of a named part.
pub(crate) fn part(testid: &str) -> String {
    format!("[data-testid=\"{testid}\"]")
}

/// The CSS selector of a row by its name.
pub(crate) fn row_of(side: &str, name: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("[data-testid=\"grid-{side}\"] [role=row][data-name=\"{name}\"]")
}

/// Where pictures go.
pub(crate) fn pictures() -> PathBuf {
    let folder = support::target_dir().join("screenshots");
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl App {
    /// Runs a function's body in the page.
    pub(crate) async fn js(&self, body: &str, arguments: Vec<Value>) -> Value {
        within(body, self.client.execute(body, arguments)).await
    }

    /// Does something with keyboard or pointer.
    async fn act(&self, actions: impl Into<Actions>) {
        let actions = actions.into();
        within(
            &format!("{actions:?}"),
            self.client.perform_actions(actions),
        )
        .await;
    }

    /// Waits until `look` finds something, and says what.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        self.note(what);
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if begun.elapsed() > PATIENCE {
                self.give_up(what).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a JavaScript expression over `a` (the arguments) is true, and says what it is.
    pub(crate) async fn until_js(&self, what: &str, expression: &str, arguments: Value) -> Value {
        let body = format!("const a = arguments[0]; return ({expression});");
        self.until(what, async || {
            let value = self.js(&body, vec![arguments.clone()]).await;
            let nothing =
                value.is_null() || value == json!(false) || value == json!("") || value == json!(0);
            (!nothing).then_some(value)
        })
        .await
    }

    async fn give_up(&self, what: &str) -> ! {
        let picture = pictures().join("failed.png");
        let seen = tokio::time::timeout(PATIENCE, async {
            if let Ok(png) = self.client.screenshot().await {
                fs::write(&picture, png).unwrap_or_default();
            }
            let text = "return document.body.innerText";
            self.client.execute(text, vec![]).await.unwrap_or_default()
        });
        let text = seen.await.unwrap_or_default();
        panic!(
            "waited in vain: {what}\nsee {}\n{}\n{}",
            picture.display(),
            text.as_str().unwrap_or_default(),
            self.output()
        );
    }

    /// Waits until this selector shows something.
    pub(crate) async fn shown(&self, css: &str) {
        let see = "(() => { const e = document.querySelector(a); return e !== null && e.getClientRects().length > 0; })()";
        self.until_js(&format!("{css} is shown"), see, json!(css))
            .await;
    }

    /// Waits until this selector shows nothing.
    pub(crate) async fn gone(&self, css: &str) {
        self.until_js(
            &format!("{css} is gone"),
            "document.querySelector(a) === null",
            json!(css),
        )
        .await;
    }

    pub(crate) async fn is_there(&self, css: &str) -> bool {
        self.js(
            "return document.querySelector(arguments[0]) !== null",
            vec![json!(css)],
        )
        .await
            == json!(true)
    }

    pub(crate) async fn find(&self, css: &str) -> Element {
        self.shown(css).await;
        self.client.find(Locator::Css(css)).await.unwrap()
    }

    /// Presses a button by its name, once it can be pressed.
    pub(crate) async fn press(&self, testid: &str) {
        let css = part(testid);
        let can = "(() => { const e = document.querySelector(a); return e !== null && !e.disabled && e.getClientRects().length > 0; })()";
        self.until_js(&format!("{css} can be pressed"), can, json!(css))
            .await;
        let element = self.client.find(Locator::Css(&css)).await.unwrap();
        if let Err(error) = element.click().await {
            self.give_up(&format!("pressing {css}: {error}")).await;
        }
    }

    /// Replaces what stands in a field, by the keyboard.
    pub(crate) async fn fill(&self, testid: &str, text: &str) {
        self.press(testid).await;
        self.keys("ctrl+a").await;
        if text.is_empty() {
            self.keys("Delete").await;
        } else {
            self.type_text(text).await;
        }
        let css = part(testid);
        let is = "document.querySelector(a[0])?.value === a[1]";
        self.until_js(&format!("{css} holds {text:?}"), is, json!([css, text]))
            .await;
    }

    /// Types into whatever has the focus.
    pub(crate) async fn type_text(&self, text: &str) {
        let mut keys = KeyActions::new("keyboard".into());
        for value in text.chars() {
            keys = keys
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value });
        }
        self.act(keys).await;
    }

    /// Presses a key, with those that are held meanwhile: `ctrl+shift+Down`.
    pub(crate) async fn keys(&self, chord: &str) {
        let keys: Vec<char> = chord.split('+').map(key).collect();
        let mut actions = KeyActions::new("keyboard".into());
        for value in keys.iter().copied() {
            actions = actions.then(KeyAction::Down { value });
        }
        for value in keys.into_iter().rev() {
            actions = actions.then(KeyAction::Up { value });
        }
        self.act(actions).await;
    }

    /// The middle of what this selector shows, in CSS pixels.
    pub(crate) async fn middle(&self, css: &str) -> (i64, i64) {
        self.shown(css).await;
        let middle = "const b = document.querySelector(arguments[0]).getBoundingClientRect(); \
                      return [Math.round(b.left + Math.min(b.width / 2, 80)), Math.round(b.top + b.height / 2)];";
        let middle = self.js(middle, vec![json!(css)]).await;
        (middle[0].as_i64().unwrap(), middle[1].as_i64().unwrap())
    }

    /// Moves the pointer to something.
    pub(crate) fn to((x, y): (i64, i64)) -> PointerAction {
        PointerAction::MoveTo {
            duration: Some(Duration::ZERO),
            x: x as f64,
            y: y as f64,
        }
    }

    /// Takes the pointer away from everything that lights up under it.
    pub(crate) async fn leave(&self) {
        let spot = self.middle(&part("status-local")).await;
        self.act(MouseActions::new("mouse".into()).then(Self::to(spot)))
            .await;
    }

    /// Double-clicks a row.
    pub(crate) async fn open_row(&self, side: &str, name: &str) {
        let spot = self.row(side, name).await;
        let (down, up) = left();
        let mouse = MouseActions::new("mouse".into())
            .then(Self::to(spot))
            .then(down.clone())
            .then(up.clone())
            .then(down)
            .then(up);
        self.act(mouse).await;
    }

    /// Selects exactly these rows: a click, and clicks with Ctrl.
    pub(crate) async fn choose(&self, side: &str, names: &[&str]) {
        let nothing = Duration::ZERO;
        for (at, name) in names.iter().enumerate() {
            let spot = self.row(side, name).await;
            let (down, up) = left();
            let mouse = MouseActions::new("mouse".into())
                .pause(nothing)
                .then(Self::to(spot))
                .then(down)
                .then(up);
            if at == 0 {
                self.act(mouse).await;
                continue;
            }
            let value = char::from(Key::Control);
            let keyboard = KeyActions::new("keyboard".into())
                .then(KeyAction::Down { value })
                .pause(nothing)
                .pause(nothing)
                .pause(nothing)
                .then(KeyAction::Up { value });
            self.act(Actions::from(mouse).and(keyboard)).await;
        }
        let selected = "(() => { const rows = [...document.querySelectorAll(`[data-testid=\"grid-${a[0]}\"] [role=row][aria-selected=true]`)]; \
                        return rows.map((r) => r.dataset.name).sort().join('|') === a[1].sort().join('|'); })()";
        self.until_js(
            &format!("{names:?} are selected"),
            selected,
            json!([side, names]),
        )
        .await;
    }

    /// A row's place, brought into sight.
    async fn row(&self, side: &str, name: &str) -> (i64, i64) {
        let css = row_of(side, name);
        self.shown(&css).await;
        // Nothing is done on a list that is about to be replaced.
        self.idle(side).await;
        self.js(
            "document.querySelector(arguments[0])?.scrollIntoView({block: 'nearest'})",
            vec![json!(css)],
        )
        .await;
        self.middle(&css).await
    }

    /// Waits until a pane has read its folder.
    pub(crate) async fn idle(&self, side: &str) {
        let css = format!("[data-testid=pane-{side}][data-state=idle]");
        self.shown(&css).await;
    }

    /// Waits until a pane shows all of a folder.
    pub(crate) async fn settled(&self, side: &str, path: &str) {
        let see = "(() => { const d = document.querySelector(`[data-testid=\"pane-${a[0]}\"]`)?.dataset; \
                   return d !== undefined && d.path === a[1] && d.state === 'idle'; })()";
        self.until_js(&format!("{side} shows {path}"), see, json!([side, path]))
            .await;
    }

    /// The names that a pane's list has drawn, from the top.
    pub(crate) async fn names(&self, side: &str) -> Vec<String> {
        let rows = "return [...document.querySelectorAll(`[data-testid=\"grid-${arguments[0]}\"] [role=row][data-name]`)].map((r) => r.dataset.name)";
        serde_json::from_value(self.js(rows, vec![json!(side)]).await).unwrap()
    }

    /// Goes to a path by typing it.
    pub(crate) async fn go(&self, side: &str, path: &str) {
        self.press(&format!("path-edit-{side}")).await;
        self.fill(&format!("path-field-{side}"), path).await;
        self.keys("Enter").await;
    }

    /// Drags a row of one pane into the other by the pointer.
    pub(crate) async fn drag(&self, from: &str, name: &str, over: &str) {
        let start = self.row(from, name).await;
        let end = self.middle(&part(&format!("grid-{over}"))).await;
        let (down, up) = left();
        let press = MouseActions::new("mouse".into())
            .then(Self::to(start))
            .then(down)
            .then(Self::to((start.0 + 12, start.1 + 4)))
            .then(Self::to(((start.0 + end.0) / 2, (start.1 + end.1) / 2)))
            .then(Self::to(end));
        self.act(press).await;
        // Where it will land shows before the button is released.
        self.shown(&format!("[data-testid=pane-{over}][data-drop=yes]"))
            .await;
        let release = MouseActions::new("mouse".into()).then(up);
        self.act(release).await;
        self.gone("[data-drop]").await;
    }

    /// Waits until a transfer has come to a state.
    pub(crate) async fn transfer(&self, name: &str, state: &str) {
        let name = name.replace('"', "\\\"");
        let css = format!("[data-testid=queue-row][data-name=\"{name}\"][data-state={state}]");
        self.shown(&css).await;
    }

    /// Chooses an option of the first list of choices of this name.
    pub(crate) async fn choose_option(&self, testid: &str, value: &str) {
        let css = part(testid);
        self.shown(&css).await;
        // WebKitGTK opens a menu of the system's for a click, where no driver reaches.
        let choose = "const e = document.querySelector(arguments[0]); e.focus(); e.value = arguments[1]; \
                      e.dispatchEvent(new Event('change', { bubbles: true })); return e.value;";
        let chosen = self.js(choose, vec![json!(css), json!(value)]).await;
        assert_eq!(chosen, json!(value), "{testid}");
    }

    /// Waits until the list of transfers is in this order.
    pub(crate) async fn queue_is(&self, names: &[&str]) {
        let see = "[...document.querySelectorAll('[data-testid=queue-row]')].map((r) => r.dataset.name).join('|') === a.join('|')";
        self.until_js(&format!("the queue is {names:?}"), see, json!(names))
            .await;
    }

    /// Drags a line of the queue over another one's upper half by the pointer.
    pub(crate) async fn drag_queue(&self, name: &str, over: &str) {
        let row = |name: &str| format!("[data-testid=queue-row][data-name=\"{name}\"] .target");
        let start = self.middle(&row(name)).await;
        let end = self.middle(&row(over)).await;
        let (down, up) = left();
        let press = MouseActions::new("mouse".into())
            .then(Self::to(start))
            .then(down)
            .then(Self::to((start.0, start.1 - 8)))
            .then(Self::to((end.0, end.1 - 6)));
        self.act(press).await;
        // Where it will land shows before the button is released.
        self.shown(&format!(
            "[data-testid=queue-row][data-name=\"{over}\"][data-drop=before]"
        ))
        .await;
        self.act(MouseActions::new("mouse".into()).then(up)).await;
        self.gone("[data-drop]").await;
    }

    /// Waits until nothing is left to do, nothing failed, and forgets what is done.
    pub(crate) async fn all_done(&self) {
        let done = "(() => { const rows = [...document.querySelectorAll('[data-testid=queue-row]')]; \
                    return rows.length > 0 && rows.every((r) => ['done', 'cancelled', 'skipped'].includes(r.dataset.state)); })()";
        self.until_js("all transfers are done", done, json!(null))
            .await;
        self.press("queue-clear").await;
        self.gone("[data-testid=queue-row]").await;
    }

    /// Makes the page this big.
    pub(crate) async fn resize(&self, (width, height): (u32, u32)) {
        self.client.set_window_size(width, height).await.unwrap();
        let is = "innerWidth === a[0] && innerHeight === a[1]";
        self.until_js(
            &format!("the page is {width} x {height}"),
            is,
            json!([width, height]),
        )
        .await;
    }

    /// Takes a picture of the page.
    pub(crate) async fn picture(&self, name: &str) -> Vec<u8> {
        // What the page has decided to show is on the screen after two frames.
        let drawn = "const [done] = arguments; requestAnimationFrame(() => requestAnimationFrame(() => done(true)));";
        within(name, self.client.execute_async(drawn, vec![])).await;
        let png = within(name, self.client.screenshot()).await;
        fs::write(pictures().join(format!("{name}.png")), &png).unwrap();
        png
    }
}

/// What the driver answers, which it does soon or never.
async fn within<T>(what: &str, answer: impl Future<Output = Result<T, CmdError>>) -> T {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => panic!("{error}\nat {what}"),
        Err(_) => panic!("the driver does not answer\nat {what}"),
    }
}

fn left() -> (PointerAction, PointerAction) {
    let button = MOUSE_BUTTON_LEFT;
    (PointerAction::Down { button }, PointerAction::Up { button })
}

fn key(name: &str) -> char {
    let special = match name {
        "ctrl" => Key::Control,
        "shift" => Key::Shift,
        "alt" => Key::Alt,
        "Enter" => Key::Enter,
        "Tab" => Key::Tab,
        "Escape" => Key::Escape,
        "Backspace" => Key::Backspace,
        "Delete" => Key::Delete,
        "Home" => Key::Home,
        "End" => Key::End,
        "PageDown" => Key::PageDown,
        "Left" => Key::Left,
        "Right" => Key::Right,
        "Up" => Key::Up,
        "Down" => Key::Down,
        "F2" => Key::F2,
        "F5" => Key::F5,
        "F6" => Key::F6,
        "F7" => Key::F7,
        "Space" => return ' ',
        other => return other.chars().next().unwrap(),
    };
    char::from(special)
}
