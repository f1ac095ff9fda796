/** Hosts that spell out an address which no webhook may reach. The URL parser gives some of them another spelling. */
export const HOST_ATTACKS = [
  // Loopback and this host: decimal, octal, hex, short, with a dot at the end, in other scripts.
  ...['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.0.0.1', '0x7f.1', '0X7F.1'],
  ...['017700000001', '0177.0.0.1', '0177.1', '127.0.0.1.', '127.000.000.001', '127.255.255.254'],
  ...['0.0.0.0', '0', '0x0', '%31%32%37.0.0.1', '１２７.０.０.１', '127。0。0。1', '①②⑦.⓪.⓪.①'],
  ...['[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[::127.0.0.1]', '[::7f00:1]'],
  // IPv4 within IPv6: mapped, translated, NAT64 of both prefixes, 6to4, Teredo.
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::ffff:0:127.0.0.1]'],
  ...['[64:ff9b::127.0.0.1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]'],
  ...['[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[64:ff9b::a9fe:a9fe]', '[::ffff:10.0.0.1]'],
  // Metadata and task credentials.
  ...['169.254.169.254', '169.254.170.2', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518'],
  ...['[fd00:ec2::254]', '100.100.100.200', '192.0.0.192', '168.63.129.16'],
  // Private, shared, link-local, site-local, multicast, broadcast, reserved, documentation.
  ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '198.18.0.1', '192.0.2.1'],
  ...['224.0.0.1', '240.0.0.1', '255.255.255.255', '[fe80::1]', '[fc00::1]', '[fec0::1]', '[ff02::1]'],
  ...['[2001:db8::1]', '[100::1]', '[4000::1]'],
]

/** URLs that are refused for what they are, wherever they lead. */
export const URL_ATTACKS = [
  ...['http://example.com/', 'HTTP://example.com/', 'ftp://example.com/', 'file:///etc/passwd'],
  ...['gopher://example.com:70/_x', 'javascript:alert(1)', 'data:text/plain,x', 'ws://example.com/'],
  ...['wss://example.com/', 'blob:https://example.com/x', 'unix:/var/run/docker.sock', '//127.0.0.1/', ''],
  ...['https://', 'https:///', 'https://[::1', 'https://exa mple.com/', 'https://256.256.256.256/'],
  ...['https://user:secret@example.com/', 'https://user@example.com/', 'https://:secret@example.com/'],
  ...[
    'https://example.com@127.0.0.1/',
    'https://127.0.0.1\\@example.com/',
    'https:127.0.0.1/',
    'https:/127.1/',
  ],
]
