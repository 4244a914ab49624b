//! Decides which IP addresses are public, so that the egress proxy may connect a sandbox to them.
//!
//! All private, local and special addresses are excluded, and so are IPv6 addresses that a
//! translator turns into IPv4 addresses. The standard library has a function for this
//! (`IpAddr::is_global`), but it is not stable yet. A mistake here would open the host's own
//! network to programs in a sandbox, which is why the lists are written out and tested.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a sandbox may be connected to this address. The metadata services of clouds (such as
/// 169.254.169.254) are link-local, unique-local or listed, so they are not public.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IPv4 networks that are not public: network address and prefix length in bits. They are the
/// IANA registry of special-purpose addresses, multicast (224.0.0.0/4) and the reserved class E
/// (240.0.0.0/4).
const SPECIAL_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    // A service of Azure for its virtual machines. It lies outside of every private range. (The
    // metadata service of Alibaba, 100.100.100.200, is in 100.64.0.0/10 above.)
    ([168, 63, 129, 16], 32),
];

/// No network of [`SPECIAL_V4`] contains the address.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(network, bits): &([u8; 4], u32)| {
        let mask = u32::MAX << (32 - bits);
        u32::from(address) & mask == u32::from(Ipv4Addr::from(*network)) & mask
    };
    !SPECIAL_V4.iter().any(within)
}

/// Only 2000::/3 is assigned to hosts on the Internet. Three parts of it are excluded:
///
/// - special addresses: 2001::/23 (among them Teredo tunnels),
/// - documentation: 2001:db8::/32 and 3fff::/20,
/// - 2002::/16 (6to4), which a translator sends to the IPv4 address inside of it.
///
/// IPv4 addresses written as IPv6 (`::ffff:127.0.0.1`, `64:ff9b::`) are outside of 2000::/3.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let given_out = parts[0] & 0xe000 == 0x2000;
    let special = matches!(parts, [0x2001, second, ..] if second < 0x0200);
    let documentation =
        matches!(parts, [0x2001, 0x0db8, ..]) || parts[0] == 0x3fff && parts[1] < 0x1000;
    let six_to_four = parts[0] == 0x2002;
    given_out && !special && !documentation && !six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_local_or_special_is_not_public() {
        let inner = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "100::1",
        ];
        for text in inner {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let outer = [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "168.63.129.17",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "2400:cb00::1",
        ];
        for text in outer {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
