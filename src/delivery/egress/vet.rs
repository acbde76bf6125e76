//! What may be dialled, by address: one of the public internet, or one that the configuration
//! names, and some never.
//!
//! The trap is an address within another: translators and tunnels go on to an IPv4 address that
//! stands inside an IPv6 one, so both are judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why an address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Whatever the configuration says.
    #[error("{address} is never dialled: {what}")]
    Never {
        /// The address.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// Only where the configuration names it.
    #[error("{address} is not dialled: {what}, and not named in `allow_networks`")]
    Unnamed {
        /// The address.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// Plain http to what is not named.
    #[error("plain http goes only to networks that `allow_networks` names")]
    InClear,
}

impl Forbidden {
    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Never { .. } => "give the address of the service itself",
            Self::Unnamed { .. } => {
                "if the service really lies there, name its network in `allow_networks`"
            }
            Self::InClear => "use https, or name the network of the service in `allow_networks`",
        }
    }
}

/// Whether an address may be dialled.
pub fn vet(address: IpAddr, allow: &[IpNet]) -> Result<(), Forbidden> {
    let address = address.to_canonical();
    let inside = match address {
        IpAddr::V4(_) => Vec::new(),
        IpAddr::V6(v6) => embedded(v6),
    };
    let every = || std::iter::once(address).chain(inside.iter().copied().map(IpAddr::V4));
    if let Some(what) = every().find_map(|part| find(part, &NEVER_V4, &NEVER_V6)) {
        return Err(Forbidden::Never { address, what });
    }
    // Where it may stand in several places, the last one leads on in any case.
    let last = inside.last().copied().map(IpAddr::V4);
    if is_named(address, allow) || last.is_some_and(|last| is_named(last, allow)) {
        return Ok(());
    }
    match every().find_map(special) {
        Some(what) => Err(Forbidden::Unnamed { address, what }),
        None => Ok(()),
    }
}

pub(super) fn is_named(address: IpAddr, allow: &[IpNet]) -> bool {
    allow.iter().any(|network| network.contains(&address))
}

/// The IPv4 addresses that a translator or tunnel may go on to: the surest last.
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let octets = address.octets();
    let at = |places: [usize; 4]| Ipv4Addr::from_octets(places.map(|place| octets[place]));
    let last = at([12, 13, 14, 15]);
    match address.segments() {
        // :: and ::1 are no compatible ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // Mapped ones are IPv4 by now. These are the obsolete compatible ones, those that a stateless
        // translator writes, NAT64, and ISATAP at the end.
        [0, 0, 0, 0, 0 | 0xFFFF, 0, _, _]
        | [0x64, 0xFF9B, 0, 0, 0, 0, _, _]
        | [_, _, _, _, 0 | 0x200, 0x5EFE, _, _] => vec![last],
        // A network's own NAT64 has any longer prefix of it (RFC 6052); octet 8 is in none of them.
        [0x64, 0xFF9B, 1, ..] => {
            let places = [
                [6, 7, 9, 10],
                [7, 9, 10, 11],
                [9, 10, 11, 12],
                [12, 13, 14, 15],
            ];
            // Where nothing is, the prefix is another.
            let inside = places.map(at).into_iter();
            inside.filter(|inside| inside.octets()[0] != 0).collect()
        }
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // Teredo has its server, and the client's address inverted.
        [0x2001, 0, ..] => vec![at([4, 5, 6, 7]), Ipv4Addr::from_bits(!last.to_bits())],
        _ => Vec::new(),
    }
}

/// What an address is, unless it is one of the public internet.
fn special(address: IpAddr) -> Option<&'static str> {
    if let Some(what) = find(address, &NAMED_V4, &NAMED_V6) {
        return Some(what);
    }
    match address {
        IpAddr::V6(v6) if !GLOBAL_V6.contains(&v6) && !NAT64.contains(&v6) => {
            Some("an address outside the public internet")
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn find(
    address: IpAddr,
    v4: &[(Ipv4Net, &'static str)],
    v6: &[(Ipv6Net, &'static str)],
) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4
            .iter()
            .find(|(network, _)| network.contains(&address))
            .map(|(_, what)| *what),
        IpAddr::V6(address) => v6
            .iter()
            .find(|(network, _)| network.contains(&address))
            .map(|(_, what)| *what),
    }
}

const fn v4(bytes: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(bytes), prefix)
}

/// By its first four groups and its last one.
const fn v6(start: [u16; 4], last: u16, prefix: u8) -> Ipv6Net {
    let address = Ipv6Addr::new(start[0], start[1], start[2], start[3], 0, 0, 0, last);
    Ipv6Net::new_assert(address, prefix)
}

const METADATA: &str = "a metadata service of a cloud";
const LINK_LOCAL: &str = "a link-local address, where metadata services are";
const UNSPECIFIED: &str = "no address, which systems take for their own";
const MULTICAST: &str = "a multicast address";

const NEVER_V4: [(Ipv4Net, &str); 7] = [
    (v4([169, 254, 0, 0], 16), LINK_LOCAL),
    // Azure's, Alibaba's and Oracle's are elsewhere.
    (v4([168, 63, 129, 16], 32), METADATA),
    (v4([100, 100, 100, 200], 32), METADATA),
    (v4([192, 0, 0, 192], 32), METADATA),
    (v4([0, 0, 0, 0], 8), UNSPECIFIED),
    (v4([224, 0, 0, 0], 4), MULTICAST),
    (v4([255, 255, 255, 255], 32), "the broadcast address"),
];

const NEVER_V6: [(Ipv6Net, &str); 5] = [
    (v6([0xFE80, 0, 0, 0], 0, 10), LINK_LOCAL),
    (v6([0xFD00, 0xEC2, 0, 0], 0x254, 128), METADATA),
    (v6([0xFD20, 0xCE, 0, 0], 0x254, 128), METADATA),
    (v6([0; 4], 0, 128), UNSPECIFIED),
    (v6([0xFF00, 0, 0, 0], 0, 8), MULTICAST),
];

const LOOPBACK: &str = "this machine";
const PRIVATE: &str = "an address of a private network";
const DOCUMENTATION: &str = "an address for documentation";
const ASSIGNED: &str = "an address set aside for protocols";

const NAMED_V4: [(Ipv4Net, &str); 12] = [
    (v4([127, 0, 0, 0], 8), LOOPBACK),
    (v4([10, 0, 0, 0], 8), PRIVATE),
    (v4([172, 16, 0, 0], 12), PRIVATE),
    (v4([192, 168, 0, 0], 16), PRIVATE),
    (
        v4([100, 64, 0, 0], 10),
        "an address shared by a provider's customers",
    ),
    (v4([192, 0, 0, 0], 24), ASSIGNED),
    (v4([192, 0, 2, 0], 24), DOCUMENTATION),
    (v4([198, 51, 100, 0], 24), DOCUMENTATION),
    (v4([203, 0, 113, 0], 24), DOCUMENTATION),
    (v4([198, 18, 0, 0], 15), "an address for benchmarks"),
    (v4([192, 88, 99, 0], 24), "a relay of 6to4"),
    (v4([240, 0, 0, 0], 4), "a reserved address"),
];

const NAMED_V6: [(Ipv6Net, &str); 7] = [
    (v6([0; 4], 1, 128), LOOPBACK),
    (v6([0xFC00, 0, 0, 0], 0, 7), PRIVATE),
    (v6([0xFEC0, 0, 0, 0], 0, 10), PRIVATE),
    (v6([0x2001, 0, 0, 0], 0, 23), ASSIGNED),
    (v6([0x2001, 0xDB8, 0, 0], 0, 32), DOCUMENTATION),
    (v6([0x3FFF, 0, 0, 0], 0, 20), DOCUMENTATION),
    (v6([0x2002, 0, 0, 0], 0, 16), "an address of 6to4"),
];

/// What is in use of the public internet.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 0, 3);

/// Where a network speaks IPv6 only, every IPv4 host has such an address: judged by what is in it.
const NAT64: Ipv6Net = v6([0x64, 0xFF9B, 0, 0], 0, 96);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample;

    use super::*;

    fn judged(address: &str, allow: &[&str]) -> &'static str {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        match vet(address.parse().unwrap(), &allow) {
            Ok(()) => "dialled",
            Err(Forbidden::Never { .. }) => "never",
            Err(Forbidden::Unnamed { .. }) => "unnamed",
            Err(Forbidden::InClear) => "in clear",
        }
    }

    #[test]
    fn the_public_internet_is_dialled() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "52.112.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "168.63.129.15",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a01:4f8::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert_eq!(judged(address, &[]), "dialled", "{address}");
        }
    }

    #[test]
    fn private_addresses_are_dialled_only_where_they_are_named() {
        for (address, network) in [
            ("127.0.0.1", "127.0.0.0/8"),
            ("127.255.255.254", "127.0.0.0/8"),
            ("10.0.0.1", "10.0.0.0/8"),
            ("10.255.255.255", "10.255.0.0/16"),
            ("172.16.0.1", "172.16.0.0/12"),
            ("172.31.255.255", "172.16.0.0/12"),
            ("192.168.1.1", "192.168.1.1/32"),
            ("100.64.0.1", "100.64.0.0/10"),
            ("192.0.0.8", "192.0.0.0/24"),
            ("192.0.2.1", "192.0.2.0/24"),
            ("198.51.100.7", "198.51.100.0/24"),
            ("203.0.113.9", "203.0.113.0/24"),
            ("198.18.0.1", "198.18.0.0/15"),
            ("198.19.255.255", "198.18.0.0/15"),
            ("192.88.99.1", "192.88.99.0/24"),
            ("240.0.0.1", "240.0.0.0/4"),
            ("::1", "::1/128"),
            ("fc00::1", "fc00::/7"),
            ("fd12:3456::1", "fd12:3456::/32"),
            ("fec0::1", "fec0::/10"),
            ("2001:db8::1", "2001:db8::/32"),
            ("3fff::1", "3fff::/20"),
            ("100::1", "100::/64"),
            ("5f00::1", "5f00::/16"),
            ("2001:2::1", "2001:2::/48"),
            ("2001:20::1", "2001:20::/28"),
            ("2002:101:101::1", "2002::/16"),
            ("64:ff9b:1::8.8.8.8", "64:ff9b:1::/48"),
            ("4000::1", "4000::/16"),
            // What is inside decides as well, and its name counts.
            ("::ffff:127.0.0.1", "127.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.0/8"),
            ("64:ff9b::10.0.0.1", "10.0.0.0/8"),
            ("64:ff9b::127.0.0.1", "64:ff9b::/96"),
            ("2002:a00:1::1", "10.0.0.0/8"),
            ("2001:0:102:304::f5ff:fffe", "10.0.0.0/8"),
            ("2a01:4f8::5efe:a00:1", "10.0.0.0/8"),
            ("::10.0.0.1", "10.0.0.0/8"),
            ("::ffff:0:10.0.0.1", "10.0.0.0/8"),
            ("::ffff:0:127.0.0.1", "127.0.0.0/8"),
            ("64:ff9b:1:a00:0:100::", "64:ff9b:1::/48"),
        ] {
            assert_eq!(judged(address, &[]), "unnamed", "{address}");
            assert_eq!(
                judged(address, &["203.0.113.254/32"]),
                "unnamed",
                "{address}"
            );
            assert_eq!(
                judged(address, &[network]),
                "dialled",
                "{address} in {network}"
            );
        }
    }

    #[test]
    fn some_addresses_are_never_dialled_whatever_is_named() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "::",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:1:a9:fea9:fe00::",
            "::ffff:0:169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "2001:0:a9fe:a9fe::f5ff:fffe",
            "2002:a9fe:a9fe::1",
            "2001:0:102:304::5601:5601",
            "2a01:4f8::200:5efe:a9fe:a9fe",
            "::169.254.169.254",
        ] {
            assert_eq!(
                judged(address, &["0.0.0.0/0", "::/0"]),
                "never",
                "{address}"
            );
        }
    }

    /// The standard library's own word about an address.
    fn is_plainly_elsewhere(v4: Ipv4Addr) -> bool {
        v4.is_private()
            || v4.is_loopback()
            || v4.is_link_local()
            || v4.is_broadcast()
            || v4.is_documentation()
            || v4.is_unspecified()
            || v4.is_multicast()
    }

    fn near_the_edges() -> impl Strategy<Value = u32> {
        let edges = NAMED_V4.iter().chain(&NEVER_V4).flat_map(|(network, _)| {
            let (first, last) = (network.network().to_bits(), network.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
        });
        prop_oneof![any::<u32>(), sample::select(edges.collect::<Vec<_>>())]
    }

    proptest! {
        #[test]
        fn wrapped_in_whatever_way_an_address_elsewhere_is_not_dialled(bits in near_the_edges()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let low = u128::from(bits);
            let nat64 = (0x0064_FF9B_u128 << 96) | low;
            let six_to_four = (0x2002_u128 << 112) | (low << 80);
            let teredo = (0x2001_u128 << 112) | u128::from(!bits);
            let direct = vet(v4.into(), &[]);
            for wrapped in [low | (0xFFFF << 32), nat64] {
                // These are the address itself, so they are judged alike.
                prop_assert_eq!(vet(Ipv6Addr::from_bits(wrapped).into(), &[]).is_ok(), direct.is_ok());
            }
            for wrapped in [low, six_to_four, teredo] {
                prop_assert!(vet(Ipv6Addr::from_bits(wrapped).into(), &[]).is_err());
            }
            if is_plainly_elsewhere(v4) {
                prop_assert!(direct.is_err(), "{v4}");
            }
        }

        #[test]
        fn of_ipv6_only_global_unicast_and_nat64_are_dialled(bits in any::<u128>()) {
            let v6 = Ipv6Addr::from_bits(bits);
            if vet(v6.into(), &[]).is_ok() {
                prop_assert!(GLOBAL_V6.contains(&v6) || NAT64.contains(&v6));
                prop_assert!(!v6.is_unicast_link_local() && !v6.is_unique_local());
            }
        }
    }
}
