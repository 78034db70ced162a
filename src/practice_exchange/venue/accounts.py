"""Funded test wallets made from the seed, and the API keys made from signatures."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from polymarket_kit.signing.auth import ApiCredentials, WalletClaim, derive_credentials
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import SignatureType
from polymarket_kit.signing.wallets import upgradeable_deposit_wallet, wallet_of

WALLET_TYPES = {
    SignatureType.EOA: "eoa",
    SignatureType.PROXY: "proxy",
    SignatureType.SAFE: "safe",
    SignatureType.DEPOSIT_WALLET: "deposit_wallet",
}


class PracticeWallet(msgspec.Struct, frozen=True):
    """A wallet with play money. ``address`` is the key's own, ``funder`` the one that holds the money. Worth nothing."""

    private_key: str
    address: str
    funder: str
    wallet_type: str
    signature_type: int

    def __repr__(self) -> str:
        return f"PracticeWallet({self.wallet_type} {self.funder})"


class ApiKey(msgspec.Struct, frozen=True):
    """An API key and the address whose signature made it."""

    address: str
    nonce: int
    credentials: ApiCredentials


def practice_wallets(seed: int) -> tuple[PracticeWallet, ...]:
    """Return one wallet of each type, each with a key of its own: the same ones for the same seed."""
    wallets = []
    for signature_type, name in WALLET_TYPES.items():
        secret = hashlib.sha256(f"prescient practice wallet/{seed}/{name}".encode()).digest()
        address = SigningKey(secret).address
        funder = wallet_of(address, signature_type)
        wallets.append(PracticeWallet(f"0x{secret.hex()}", address, funder, name, int(signature_type)))
    return tuple(wallets)


@lru_cache(maxsize=4_096)
def wallets_of(address: str) -> tuple[str, ...]:
    """Return every account that this owner may trade from: its own address, proxy, Safe and both deposit wallets."""
    return (*(wallet_of(address, kind) for kind in SignatureType), upgradeable_deposit_wallet(address))


class KeyRing:
    """API keys by id and by who made them. The same address and number always give the same key, as on the venue."""

    def __init__(self, seed: int) -> None:
        self._secret = hashlib.sha256(f"prescient practice keys/{seed}".encode()).digest()
        self._keys: dict[str, ApiKey] = {}

    def create(self, claim: WalletClaim) -> ApiKey | None:
        """Make a key, or None when it exists already. A deleted one may be made again (assumed)."""
        key = self._of(claim)
        if key.credentials.key in self._keys:
            return None
        self._keys[key.credentials.key] = key
        return key

    def derive(self, claim: WalletClaim) -> ApiKey | None:
        """Return the key made before, or None."""
        return self._keys.get(self._of(claim).credentials.key)

    def find(self, key_id: str) -> ApiKey | None:
        return self._keys.get(key_id)

    def of_address(self, address: str) -> list[str]:
        return [key_id for key_id, key in self._keys.items() if key.address == address]

    def delete(self, key_id: str) -> None:
        self._keys.pop(key_id, None)

    def dump_state(self) -> list[ApiKey]:
        """All keys, in the order in which they were made."""
        return list(self._keys.values())

    def load_state(self, kept: list[ApiKey]) -> None:
        self._keys = {key.credentials.key: key for key in kept}

    def _of(self, claim: WalletClaim) -> ApiKey:
        credentials = derive_credentials(self._secret, claim.address, claim.nonce)
        return ApiKey(claim.address, claim.nonce, credentials)
