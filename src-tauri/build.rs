//! Build script of the window: derives the permissions from the one list of commands, and lets Tauri check the rest.

use std::{env, error::Error, fs, path::Path};

/// The file with the one list of commands.
const BINDINGS: &str = "src-tauri/src/bindings.rs";
/// The built user interface that is embedded in the binary.
const USER_INTERFACE: &str = "ui/dist";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={BINDINGS}");
    // The capabilities do not stand at Tauri's default place, so nobody else would watch them.
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=icons");
    println!("cargo:rerun-if-changed={USER_INTERFACE}");
    if !Path::new(USER_INTERFACE).join("index.html").is_file() {
        return Err(format!(
            "the user interface is not built: `{USER_INTERFACE}/index.html` is missing; \
             run `npm ci && npm run build` in `ui/`, or `make run`"
        )
        .into());
    }

    let commands = listed_commands(&fs::read_to_string(BINDINGS)?)?;
    let permissions = Path::new(&env::var("OUT_DIR")?).join("permissions");
    fs::create_dir_all(&permissions)?;
    fs::write(permissions.join("commands.toml"), permission_of(&commands))?;
    // A build script is a short-lived process: leaking the pattern is how it becomes 'static.
    let pattern: &'static str = format!("{}/*.toml", permissions.display()).leak();

    tauri_build::try_build(
        tauri_build::Attributes::new()
            .capabilities_path_pattern("./src-tauri/capabilities/*.json")
            // By `permissions_path_pattern` and not by `commands`, which would write generated
            // files into the root of the project.
            .app_manifest(tauri_build::AppManifest::new().permissions_path_pattern(pattern)),
    )?;
    Ok(())
}

/// Reads the names in `collect_commands![..]`: the last segment of each path.
fn listed_commands(source: &str) -> Result<Vec<String>, String> {
    let (_, rest) = source
        .split_once("collect_commands![")
        .ok_or(format!("{BINDINGS} has no `collect_commands![`"))?;
    let (list, _) = rest
        .split_once(']')
        .ok_or(format!("the list of commands in {BINDINGS} has no end"))?;
    let names: Vec<String> = list
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(|line| line.split(','))
        .map(|path| path.rsplit("::").next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(odd) = names
        .iter()
        .find(|name| !name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    {
        return Err(format!(
            "`{odd}` in {BINDINGS} is not the name of a command"
        ));
    }
    Ok(names)
}

/// One permission, "commands", that allows exactly the given commands.
fn permission_of(commands: &[String]) -> String {
    let quoted: Vec<String> = commands.iter().map(|name| format!("{name:?}")).collect();
    format!(
        "[[permission]]\n\
         identifier = \"commands\"\n\
         description = \"The commands listed in bindings.rs.\"\n\
         commands.allow = [{}]\n",
        quoted.join(", ")
    )
}
