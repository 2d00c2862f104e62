//! How the servers in Python are configured.

use serde_json::json;

use super::config::{Launch, Written};
use super::{Kind, StartError, Tls};
use crate::python::{PYTHON, SERVE};

const SETTINGS: &str = "settings.json";

impl Written<'_> {
    pub(super) fn python(&self, kind: Kind) -> Result<Launch, StartError> {
        let options = self.options;
        let settings = json!({
            "kind": kind.name(),
            "address": options.address.to_string(),
            "port": self.port,
            "root": self.dir.join("root"),
            "user": options.user,
            "password": options.password,
            "tls": match options.tls {
                Tls::Off => "off",
                Tls::Explicit => "explicit",
                Tls::Implicit => "implicit",
            },
            "tls_mandatory": options.tls_mandatory,
            "certificate": self.conf.join("both.pem"),
            "max_per_ip": options.max_per_ip,
            "extra": options.extra,
        });
        self.save(SETTINGS, &settings.to_string())?;
        let settings = self.conf.join(SETTINGS).display().to_string();
        Ok(Launch {
            program: PYTHON,
            // The caches of compiled modules stay as pip made them: nothing is written outside the server's folder.
            arguments: ["-B", SERVE, &settings].map(str::to_owned).into(),
            environment: Vec::new(),
        })
    }
}
