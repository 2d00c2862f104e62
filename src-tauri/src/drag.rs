//! Files dragged from another program. The paths stay here; the window gets an id and the names.

use std::{path::PathBuf, sync::Arc};

use tauri::{DragDropEvent, Manager, PhysicalPosition, Window};
use tauri_specta::Event as _;

use crate::{
    dto::{DragPhase, Number, SystemDrag},
    state::Shell,
};

/// Tells the window what is dragged over it.
pub(crate) fn tell(window: &Window, event: &DragDropEvent) {
    let scale = window.scale_factor().unwrap_or(1.0);
    let shell = window.state::<Arc<Shell>>();
    let drag = match event {
        DragDropEvent::Enter { paths, position } => {
            at(position, scale, DragPhase::Enter, names(paths), None)
        }
        DragDropEvent::Over { position } => at(position, scale, DragPhase::Over, Vec::new(), None),
        DragDropEvent::Drop { paths, position } => {
            let drop = shell.drops.keep(paths.clone());
            at(position, scale, DragPhase::Drop, names(paths), Some(drop))
        }
        DragDropEvent::Leave => at(
            &PhysicalPosition::default(),
            scale,
            DragPhase::Leave,
            Vec::new(),
            None,
        ),
        _ => return,
    };
    if let Err(error) = drag.emit(window) {
        tracing::debug!(%error, "the window was not told of a drag");
    }
}

fn at(
    position: &PhysicalPosition<f64>,
    scale: f64,
    phase: DragPhase,
    names: Vec<String>,
    drop: Option<u32>,
) -> SystemDrag {
    // Whatever the type says: only Windows gives physical pixels here, GTK and Cocoa give logical ones.
    let scale = if cfg!(windows) { scale } else { 1.0 };
    let css = |pixels: f64| Number::try_from(pixels / scale).unwrap_or_default();
    SystemDrag {
        phase,
        x: css(position.x),
        y: css(position.y),
        drop,
        names,
    }
}

fn names(paths: &[PathBuf]) -> Vec<String> {
    paths
        .iter()
        .map(|path| {
            path.file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_and_no_paths() {
        assert_eq!(
            names(&["/home/me/a.txt".into(), "/".into()]),
            ["a.txt", "/"]
        );
    }

    #[test]
    #[cfg(not(windows))]
    fn positions_are_logical_already() {
        let drag = at(
            &PhysicalPosition::new(10.0, 20.5),
            2.0,
            DragPhase::Over,
            Vec::new(),
            None,
        );
        assert_eq!((drag.x.get(), drag.y.get()), (10.0, 20.5));
    }
}
