//! Runs a packetdrill script against this kernel, over TUN or over loopback.
