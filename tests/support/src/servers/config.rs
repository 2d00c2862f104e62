//! How each server is configured.

use std::fs::{self, File};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::process::Tree;
use super::{
    Kind, Options, START_LIMIT, SYSTEM_GID, SYSTEM_UID, SYSTEM_USER, StartError, Tls, crypt,
};
use crate::packages::{self, Unpacked};

/// More than any test opens at once.
const MOST_CLIENTS: u32 = 200;

/// What to start, once its configuration is written.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: &'static str,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Launch {
    pub(super) fn spawn(
        &self,
        unpacked: &Unpacked,
        dir: &Path,
        place: SocketAddrV4,
    ) -> Result<Tree, String> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(dir.join("conf/output.log"));
        let output = output.map_err(|error| error.to_string())?;
        let again = output.try_clone().map_err(|error| error.to_string())?;
        let mut command = unpacked.command(self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(again)
            .current_dir(dir);
        Tree::spawn(&mut command, place, START_LIMIT)
    }
}

pub(super) fn write(
    kind: Kind,
    options: &Options,
    dir: &Path,
    port: u16,
    unpacked: &Unpacked,
) -> Result<Launch, StartError> {
    let written = Written {
        options,
        conf: dir.join("conf"),
        dir,
        port,
        unpacked,
    };
    match kind {
        Kind::Vsftpd => written.vsftpd(),
        Kind::ProFtpd => written.proftpd(),
        Kind::PureFtpd => written.pure_ftpd(),
        Kind::Aioftp | Kind::Pyftpdlib => written.python(kind),
    }
}

pub(super) struct Written<'a> {
    pub(super) options: &'a Options,
    pub(super) conf: PathBuf,
    pub(super) dir: &'a Path,
    pub(super) port: u16,
    unpacked: &'a Unpacked,
}

impl Written<'_> {
    fn vsftpd(&self) -> Result<Launch, StartError> {
        let (dir, conf, port) = (self.dir.display(), self.conf.display(), self.port);
        let address = self.options.address;
        let limit = self.options.max_per_ip.unwrap_or(0);
        // Guests are the only users that need no entry in /etc/passwd; all of them become one system user.
        // isolate* and the seccomp sandbox want kernel features that containers do not give.
        let mut text = format!(
            "listen=YES\nbackground=NO\nlisten_address={address}\nlisten_port={port}\n\
             anonymous_enable=NO\nlocal_enable=YES\nguest_enable=YES\nguest_username={SYSTEM_USER}\n\
             virtual_use_local_privs=YES\nlocal_root={dir}/root\nchroot_local_user=YES\n\
             allow_writeable_chroot=YES\nwrite_enable=YES\nlocal_umask=022\nutf8_filesystem=YES\n\
             secure_chroot_dir={dir}/empty\npam_service_name=slipway-test\nnopriv_user={SYSTEM_USER}\n\
             seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n\
             delay_failed_login=0\nmax_clients={MOST_CLIENTS}\nmax_per_ip={limit}\n\
             xferlog_enable=YES\nxferlog_std_format=NO\nlog_ftp_protocol=YES\n\
             vsftpd_log_file={conf}/server.log\n"
        );
        if self.options.tls != Tls::Off {
            let yes = |condition: bool| if condition { "YES" } else { "NO" };
            let mandatory = yes(self.options.tls_mandatory);
            text.push_str(&format!(
                "ssl_enable=YES\nssl_ciphers=HIGH\n\
                 rsa_cert_file={conf}/cert.pem\nrsa_private_key_file={conf}/key.pem\n\
                 require_ssl_reuse={reuse}\nimplicit_ssl={implicit}\n\
                 force_local_logins_ssl={mandatory}\nforce_local_data_ssl={mandatory}\n",
                reuse = yes(self.options.require_session_reuse),
                implicit = yes(self.options.tls == Tls::Implicit),
            ));
        }
        self.save("vsftpd.conf", &self.with_extra(text))?;
        let pam = packages::compile_shared("one_account", include_str!("../../pam/one_account.c"))?;
        Ok(Launch {
            program: "usr/sbin/vsftpd",
            arguments: vec![format!("{conf}/vsftpd.conf")],
            environment: vec![
                ("LD_PRELOAD", pam.display().to_string()),
                ("SLIPWAY_TEST_USER", self.options.user.clone()),
                ("SLIPWAY_TEST_PASSWORD", self.options.password.clone()),
            ],
        })
    }

    fn proftpd(&self) -> Result<Launch, StartError> {
        let (dir, conf, port) = (self.dir.display(), self.conf.display(), self.port);
        let address = self.options.address;
        let hash = crypt(&self.options.password)?;
        let user = &self.options.user;
        self.save(
            "passwd",
            &format!("{user}:{hash}:{SYSTEM_UID}:{SYSTEM_GID}::{dir}/root:/bin/false\n"),
        )?;
        self.save("group", &format!("testers:x:{SYSTEM_GID}:\n"))?;
        let modules = self.unpacked.path("usr/lib/proftpd");
        let mut text = format!(
            "ModulePath {modules}\n{load}\
             ServerType standalone\nServerName \"Slipway test\"\nDefaultAddress {address}\nSocketBindTight on\n\
             UseIPv6 off\nPort {port}\nUser {SYSTEM_USER}\nGroup {SYSTEM_USER}\n\
             PidFile {conf}/proftpd.pid\nScoreboardFile {conf}/scoreboard\n\
             SystemLog {conf}/server.log\nTransferLog none\nWtmpLog off\nDebugLevel 1\n\
             UseReverseDNS off\nTimesGMT on\n\
             AuthOrder mod_auth_file.c\nAuthUserFile {conf}/passwd\nAuthGroupFile {conf}/group\n\
             RequireValidShell off\nDefaultRoot ~\nUmask 022 022\n\
             AllowOverwrite on\nAllowStoreRestart on\nAllowRetrieveRestart on\n\
             MaxInstances {MOST_CLIENTS}\n\
             <IfModule mod_delay.c>\nDelayEngine off\n</IfModule>\n\
             <IfModule mod_ctrls.c>\nControlsEngine off\n</IfModule>\n",
            modules = modules.display(),
            load = if self.options.tls == Tls::Off {
                ""
            } else {
                "LoadModule mod_tls.c\n"
            },
        );
        if let Some(limit) = self.options.max_per_ip {
            text.push_str(&format!("MaxClientsPerHost {limit}\n"));
        }
        if self.options.tls != Tls::Off {
            let mut choices = Vec::new();
            if !self.options.require_session_reuse {
                choices.push("NoSessionReuseRequired");
            }
            if self.options.tls == Tls::Implicit {
                choices.push("UseImplicitSSL");
            }
            if !choices.is_empty() {
                text.push_str(&format!("TLSOptions {}\n", choices.join(" ")));
            }
            // The first of several counts.
            let defaults: String = ["TLSProtocol TLSv1.2 TLSv1.3", "TLSVerifyClient off"]
                .into_iter()
                .filter(|line| {
                    let name = line.split(' ').next();
                    let mut extra = self.options.extra.iter();
                    !extra.any(|extra| extra.split(' ').next() == name)
                })
                .map(|line| format!("{line}\n"))
                .collect();
            text.push_str(&format!(
                "TLSEngine on\nTLSLog {conf}/tls.log\n{defaults}\
                 TLSECCertificateFile {conf}/cert.pem\nTLSECCertificateKeyFile {conf}/key.pem\n\
                 TLSRequired {required}\n",
                required = if self.options.tls_mandatory {
                    "on"
                } else {
                    "off"
                },
            ));
        }
        self.save("proftpd.conf", &self.with_extra(text))?;
        Ok(Launch {
            program: "usr/sbin/proftpd",
            arguments: ["-n", "-q", "-c", &format!("{conf}/proftpd.conf")]
                .map(str::to_owned)
                .into(),
            environment: Vec::new(),
        })
    }

    fn pure_ftpd(&self) -> Result<Launch, StartError> {
        let (dir, conf) = (self.dir.display(), self.conf.display());
        let address = self.options.address.to_string();
        // A crypt(3) hash rather than pure-pw's own kind, which takes half a second a login by design.
        let hash = crypt(&self.options.password)?;
        let user = &self.options.user;
        let line = format!("{user}:{hash}:{SYSTEM_UID}:{SYSTEM_GID}::{dir}/root/./::::::::::::\n");
        self.save("pureftpd.passwd", &line)?;
        let table = format!("{conf}/pureftpd.pdb");
        let mut tool = self.unpacked.command("usr/bin/pure-pw");
        tool.args(["mkdb", &table, "-f", &format!("{conf}/pureftpd.passwd")]);
        let made = tool
            .output()
            .map_err(|error| StartError::Failed(format!("{tool:?}: {error}")))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(StartError::Failed(format!("{tool:?}: {said}")));
        }
        let tls = match (self.options.tls, self.options.tls_mandatory) {
            (Tls::Off, _) => "0",
            (_, false) => "1",
            (_, true) => "3",
        };
        let limit = self.options.max_per_ip.unwrap_or(MOST_CLIENTS);
        // -u: the smallest uid that may log in. -L: as many names in a listing as there are. -E: no anonymous.
        // -A: everyone in a chroot. -H: no reverse lookups. -f none: nothing to the machine's syslog.
        let mut arguments: Vec<String> = [
            "-4",
            "-A",
            "-E",
            "-H",
            "-u",
            "1",
            "-U",
            "022:022",
            "-L",
            "2000000:64",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(["-P", &address, "-f", "none", "-I", "15", "-Y", tls].map(str::to_owned));
        for (option, value) in [
            ("-S", format!("{address},{}", self.port)),
            ("-l", format!("puredb:{table}")),
            ("-g", format!("{conf}/pure-ftpd.pid")),
            ("-O", format!("clf:{conf}/server.log")),
            ("-c", MOST_CLIENTS.to_string()),
            ("-C", limit.to_string()),
        ] {
            arguments.extend([option.to_owned(), value]);
        }
        if self.options.tls != Tls::Off {
            arguments.extend(["-2".to_owned(), format!("{conf}/both.pem")]);
        }
        arguments.extend(self.options.extra.iter().cloned());
        Ok(Launch {
            program: "usr/sbin/pure-ftpd",
            arguments,
            environment: Vec::new(),
        })
    }

    fn with_extra(&self, mut text: String) -> String {
        for line in &self.options.extra {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Writes a file that only root reads: servers refuse tables of passwords that others can read.
    pub(super) fn save(&self, name: &str, text: &str) -> Result<(), StartError> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.conf.join(name);
        let saved = fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)));
        saved.map_err(|error| StartError::Failed(format!("{}: {error}", path.display())))
    }
}
