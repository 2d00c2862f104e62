use proptest::{collection::vec, prelude::*};

use super::*;

#[test]
fn pasv_in_every_dress() {
    let expected: SocketAddrV4 = "192.0.2.7:50001".parse().unwrap();
    for text in [
        "Entering Passive Mode (192,0,2,7,195,81)",
        "Entering Passive Mode (192,0,2,7,195,81).",
        "Entering Passive Mode 192,0,2,7,195,81",
        "=192,0,2,7,195,81",
        "[192,0,2,7,195,81]",
        "{192,0,2,7,195,81}",
        "<192,0,2,7,195,81>",
        "(192, 0, 2, 7, 195, 81)",
        "227 on line 3,4: (192,000,002,007,195,081), good luck",
        "192,0,2,7,195,81,",
    ] {
        assert_eq!(parse_pasv(text.as_bytes()).unwrap(), expected, "{text}");
    }
}

#[test]
fn pasv_without_an_address() {
    for text in [
        "",
        "ok",
        "(1,2,3,4,5)",
        "(1,2,3,4,5,6,7)",
        "(1.2.3.4,5,6)",
        "1,2,3,4,-5,6",
        "(1,2,3,,4,5,6)",
        ",",
    ] {
        assert!(
            matches!(parse_pasv(text.as_bytes()), Err(AddrError::Missing { .. })),
            "{text}"
        );
    }
    for text in [
        "(256,0,0,1,4,1)",
        "(1,2,3,4,5,999)",
        "(1,2,3,4,0,0)",
        "1,2,3,4,5,99999999999999999999999",
    ] {
        assert!(
            matches!(
                parse_pasv(text.as_bytes()),
                Err(AddrError::OutOfRange { .. })
            ),
            "{text}"
        );
    }
    let text = parse_pasv(&[b'\x07'; 5000]).unwrap_err().to_string();
    assert!(text.contains("\\x07") && text.len() < 900);
}

#[test]
fn epsv() {
    for text in [
        "Entering Extended Passive Mode (|||50001|)",
        "(|||50001|).",
        "|||50001|",
        "!!!50001!",
        "(|||1|) no: (|||050001|)",
        "xxx50001x",
        "(((50001(",
        "||||50001|",
    ] {
        assert_eq!(parse_epsv(text.as_bytes()).unwrap(), 50001, "{text}");
    }
    for text in [
        "",
        "(|||50001)",
        "(||50001|)",
        "(|||x|)",
        "(||||)",
        "(|||-5|)",
        "11150001",
        "(   50001 )",
    ] {
        assert!(
            matches!(parse_epsv(text.as_bytes()), Err(AddrError::Missing { .. })),
            "{text}"
        );
    }
    for text in ["(|||0|)", "(|||65536|)", "(|||99999999999999999999|)"] {
        assert!(
            matches!(
                parse_epsv(text.as_bytes()),
                Err(AddrError::OutOfRange { .. })
            ),
            "{text}"
        );
    }
}

#[test]
fn port_and_eprt() {
    assert_eq!(
        parse_port(b"192,0,2,7,195,81").unwrap(),
        "192.0.2.7:50001".parse().unwrap()
    );
    for text in [
        "",
        "x192,0,2,7,195,81",
        "192,0,2,7,195,81x",
        "192,0,2,7,195",
        "192,0,2,7,195,81,",
        "(192,0,2,7,195,81)",
    ] {
        assert!(
            matches!(parse_port(text.as_bytes()), Err(AddrError::Missing { .. })),
            "{text}"
        );
    }
    assert!(matches!(
        parse_port(b"1,2,3,4,0,0"),
        Err(AddrError::OutOfRange { .. })
    ));
    for (text, addr) in [
        ("|1|132.235.1.2|6275|", "132.235.1.2:6275"),
        (
            "|2|1080::8:800:200C:417A|5282|",
            "[1080::8:800:200c:417a]:5282",
        ),
        ("!2!::1!21!", "[::1]:21"),
    ] {
        assert_eq!(
            parse_eprt(text.as_bytes()).unwrap(),
            addr.parse().unwrap(),
            "{text}"
        );
    }
    for text in [
        "",
        "|",
        "|||6275|",
        "|1|::1|6275|",
        "|2|1.2.3.4|6275|",
        "|1|1.2.3.4|6275",
        "|1|1.2.3.4||",
        "|1|1.2.3.4|6x|",
        "|x|1.2.3.4|6|",
        "|1|host|6275|",
        "|1|1.2.3.4|6|7|",
        "|2|fe80::1%eth0|6275|",
    ] {
        assert!(
            matches!(parse_eprt(text.as_bytes()), Err(AddrError::Missing { .. })),
            "{text}"
        );
    }
    assert!(matches!(
        parse_eprt(b"|1|1.2.3.4|65536|"),
        Err(AddrError::OutOfRange { .. })
    ));
    assert!(
        matches!(parse_eprt(b"|3|1.2.3.4|6275|"), Err(AddrError::Protocol { protocol, .. }) if protocol == "3")
    );
}

#[test]
fn written_addresses() {
    let v4 = "192.0.2.7:50001".parse().unwrap();
    assert_eq!(
        (format_pasv(v4).as_str(), format_port(v4).as_str()),
        ("192,0,2,7,195,81", "192,0,2,7,195,81")
    );
    assert_eq!(format_epsv(6446), "(|||6446|)");
    assert_eq!(format_eprt(v4.into()), "|1|192.0.2.7|50001|");
    assert_eq!(
        format_eprt("[2001:db8::1%7]:21".parse().unwrap()),
        "|2|2001:db8::1|21|"
    );
}

proptest! {
    #[test]
    fn addresses_come_back(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port in 1..=u16::MAX) {
        let four = SocketAddrV4::new(v4.into(), port);
        prop_assert_eq!(parse_pasv(format_pasv(four).as_bytes()).unwrap(), four);
        prop_assert_eq!(parse_port(format_port(four).as_bytes()).unwrap(), four);
        prop_assert_eq!(parse_epsv(format_epsv(port).as_bytes()).unwrap(), port);
        for addr in [SocketAddr::V4(four), SocketAddr::new(Ipv6Addr::from(v6).into(), port)] {
            prop_assert_eq!(parse_eprt(format_eprt(addr).as_bytes()).unwrap(), addr);
        }
    }

    #[test]
    fn no_bytes_make_a_panic(text in "[0-9,|( ]{0,40}", bytes in vec(any::<u8>(), 0..60)) {
        for text in [text.as_bytes(), &bytes] {
            let _ = (parse_pasv(text), parse_epsv(text), parse_port(text), parse_eprt(text));
        }
    }
}
