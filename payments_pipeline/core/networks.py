"""Coins, networks and addresses as applications and exchanges spell them, made comparable.

Belongs here: what two spellings have in common. Does not belong here: which deposit pays what (matching.py). A network
that is not in the list is compared letter by letter, upper-case: a missing alias sends a deposit to review, it never
pairs two networks that differ. Sources: OKX "Get currencies" (chain, e.g. USDT-TRC20), NOWPayments "Get available full
currencies" (code usdttrc20, network trx).
"""

from __future__ import annotations

import re
from functools import lru_cache

# Name -> other names of the same network. A token standard names the chain it lives on.
NETWORKS: dict[str, tuple[str, ...]] = {
    "TRON": ("TRC20", "TRX", "TRON(TRC20)", "TRC-20", "TRONNETWORK"),
    "ETHEREUM": ("ERC20", "ETH", "ERC-20", "ETHEREUM(ERC20)", "ETHMAINNET", "ETHEREUMMAINNET"),
    "BSC": ("BEP20", "BEP-20", "BNB", "BNBSMARTCHAIN", "BNBSMARTCHAIN(BEP20)", "BINANCESMARTCHAIN", "BNBCHAIN"),
    "POLYGON": ("MATIC", "POL", "MATICMAINNET", "POLYGONPOS"),
    "ARBITRUM": ("ARBITRUMONE", "ARB", "ARBITRUMONE(BRIDGED)"),
    "OPTIMISM": ("OP", "OPTIMISM(BRIDGED)", "OPMAINNET", "OPTIMISTICETHEREUM"),
    "AVALANCHE": ("AVAXC", "AVAX", "AVAXC-CHAIN", "AVALANCHEC-CHAIN", "CCHAIN", "C-CHAIN"),
    "BASE": ("BASEMAINNET",),
    "SOLANA": ("SOL", "SPL"),
    "TON": ("TONCOIN", "THEOPENNETWORK"),
    "BITCOIN": ("BTC", "BTCMAINNET"),
    "LIGHTNING": ("BTC-LIGHTNING", "LN"),
    "LITECOIN": ("LTC",),
    "DOGECOIN": ("DOGE",),
    "BITCOINCASH": ("BCH",),
    "RIPPLE": ("XRP", "XRPLEDGER", "XRPL"),
    "STELLAR": ("XLM", "STELLARLUMENS", "STELLARNETWORK"),
    "MONERO": ("XMR",),
    "CARDANO": ("ADA",),
    "POLKADOT": ("DOT",),
    "COSMOS": ("ATOM",),
    "NEAR": ("NEARPROTOCOL",),
    "APTOS": ("APT",),
}
_CANONICAL = {alias: name for name, aliases in NETWORKS.items() for alias in (name, *aliases)}
# Addresses on these are hexadecimal numbers: their case is a checksum (EIP-55) and nothing else.
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_BECH32 = re.compile(r"(bc1|ltc1|tb1)[0-9a-z]+", re.IGNORECASE)
# Coins that the gateway's codes carry a network behind, as in USDTTRC20.
_TOKENS = ("USDT", "USDC", "DAI", "TUSD", "BUSD", "USDD")


@lru_cache(maxsize=4096)
def coin(code: str | None) -> str | None:
    """``usdttrc20``, ``USDT-TRC20`` and `` usdt`` are all USDT; None stays None."""
    if code is None or not code.strip():
        return None
    plain = code.strip().upper()
    for token in _TOKENS:
        if plain.startswith(token) and plain.removeprefix(token).strip("-_ ") in _CANONICAL:
            return token
    return plain


@lru_cache(maxsize=4096)
def network(name: str | None, asset: str | None = None) -> str | None:
    """One name for a network, e.g. ``TRON`` for ``USDT-TRC20``, ``trx`` and ``TRC20``.

    Args:
        asset: the coin; where the network is written as ``<coin>-<network>`` the coin is taken off.

    Returns:
        The network; unknown names as they are, upper-case without blanks; None where nothing is said.
    """
    if name is None or not name.strip():
        return None
    plain = re.sub(r"[\s_]+", "", name.upper())
    if plain in _CANONICAL:
        return _CANONICAL[plain]
    own = coin(asset)
    if own is not None and plain.startswith(own):
        plain = plain.removeprefix(own).lstrip("-") or plain
    return _CANONICAL.get(plain, plain)


def networks_agree(one: str | None, other: str | None) -> bool:
    """Whether two results of `network` may be the same: where one side says nothing, nothing is held against it."""
    return one is None or other is None or one == other


def address(text: str | None) -> str | None:
    """An address in comparable form: letters keep their case (base58, TON), except where case carries no meaning."""
    if text is None or not text.strip():
        return None
    plain = text.strip()
    return plain.lower() if _HEXADECIMAL.fullmatch(plain) or _BECH32.fullmatch(plain) else plain
