"""`Address`: where a node listens, as people write it: `host:port`, or `[::1]:9601` for IPv6."""

from __future__ import annotations

from dataclasses import dataclass

from mynode.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """A host name or IP address and a TCP port, 1 to 65,535."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """`host:port` as an address; raises `ConfigError`."""
        host, colon, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or (":" in host and not bracketed):
            raise ConfigError(f'"{text}" is not an address', hint="write host:port, as 127.0.0.1:9601 or [::1]:9601")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ConfigError(f'"{text}" has no port between 1 and 65535')
        return cls(host[1:-1] if bracketed else host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_addresses(text: str) -> tuple[Address, ...]:
    """A comma-separated list of addresses, at least one; raises `ConfigError`."""
    parts = [part for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError("no address given", hint="write host:port,host:port,…")
    return tuple(Address.parse(part) for part in parts)
