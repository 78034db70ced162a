"""The venue's contracts by address, and which approvals a wallet gives before it trades, as its official client lists them."""

from __future__ import annotations

from typing import NamedTuple

from polymarket_kit.signing.order_signing import NEGATIVE_RISK_EXCHANGE, OUTCOME_EXCHANGE, STANDARD_EXCHANGE

DOLLARS = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
SHARES = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
# Shares of the second protocol: none exist here, but clients approve them.
OUTCOME_SHARES = "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF"
STANDARD_ADAPTER = "0xAdA100Db00Ca00073811820692005400218FcE1f"
NEGATIVE_RISK_ADAPTER = "0xadA2005600Dec949baf300f4C6120000bDB6eAab"
# The older adapter: balances of negative-risk shares are still asked of it, and conversions may be sent to it.
OLDER_NEGATIVE_RISK_ADAPTER = "0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296"
OUTCOME_ROUTER = "0x12121212006e4CD160D18e3f00711DA5c3372600"
PERPS_DEPOSITS = "0xDCa4af75705dbB50f62437045afF9921947917d2"
AUTO_REDEEMER = "0xa1200000d0002264C9a1698e001292D00E1b00af"
BINARY_MODULE = "0x1000008dD9001B968442c1000017eaE6E0dA00Ba"
NEGATIVE_RISK_MODULE = "0x200000900045e3B6259600682756002200028933"
SAFE_MULTISEND = "0xA238CBeb142c10Ef7Ad8442C6D1f9E89e07e7761"
RELAY_HUB = "0xD216153c06E857cD7f72665E0aF1d7D82172F494"

ADAPTERS = {False: STANDARD_ADAPTER, True: NEGATIVE_RISK_ADAPTER}
# Whose shares a balance may be asked of.
SHARE_CONTRACTS = frozenset(each.lower() for each in (SHARES, OLDER_NEGATIVE_RISK_ADAPTER, OUTCOME_SHARES))
CONVERTERS = frozenset(each.lower() for each in (NEGATIVE_RISK_ADAPTER, OLDER_NEGATIVE_RISK_ADAPTER))
EXCHANGE_ADDRESSES = tuple(
    contract.address.lower() for contract in (STANDARD_EXCHANGE, NEGATIVE_RISK_EXCHANGE, OUTCOME_EXCHANGE)
)


class Approval(NamedTuple):
    """One approval that the venue's client asks for. ``token`` is whose, ``spender`` who may take it."""

    name: str
    feature: str
    token: str
    spender: str
    standard: str


# In a stable order: dollars first. The names of pairs beyond the two that the venue documents are assumed.
APPROVALS = (
    Approval("UsdcExchange", "trading", DOLLARS, STANDARD_EXCHANGE.address, "ERC20"),
    Approval("UsdcNegRiskExchange", "trading", DOLLARS, NEGATIVE_RISK_EXCHANGE.address, "ERC20"),
    Approval("UsdcCollateralAdapter", "trading", DOLLARS, STANDARD_ADAPTER, "ERC20"),
    Approval("UsdcNegRiskCollateralAdapter", "trading", DOLLARS, NEGATIVE_RISK_ADAPTER, "ERC20"),
    Approval("UsdcRouter", "trading", DOLLARS, OUTCOME_ROUTER, "ERC20"),
    Approval("UsdcExchangeV3", "trading", DOLLARS, OUTCOME_EXCHANGE.address, "ERC20"),
    Approval("UsdcPerpsDeposit", "perps", DOLLARS, PERPS_DEPOSITS, "ERC20"),
    Approval("CtfExchangeIsApprovedForAll", "trading", SHARES, STANDARD_EXCHANGE.address, "ERC1155"),
    Approval("CtfNegRiskExchangeIsApprovedForAll", "trading", SHARES, NEGATIVE_RISK_EXCHANGE.address, "ERC1155"),
    Approval("CtfCollateralAdapterIsApprovedForAll", "trading", SHARES, STANDARD_ADAPTER, "ERC1155"),
    Approval("CtfNegRiskCollateralAdapterIsApprovedForAll", "trading", SHARES, NEGATIVE_RISK_ADAPTER, "ERC1155"),
    Approval("CtfAutoRedeemIsApprovedForAll", "auto-redeem", SHARES, AUTO_REDEEMER, "ERC1155"),
    Approval("CtfBinaryModuleIsApprovedForAll", "trading", SHARES, BINARY_MODULE, "ERC1155"),
    Approval("CtfNegRiskModuleIsApprovedForAll", "trading", SHARES, NEGATIVE_RISK_MODULE, "ERC1155"),
    Approval("PositionRouterIsApprovedForAll", "trading", OUTCOME_SHARES, OUTCOME_ROUTER, "ERC1155"),
    Approval("PositionExchangeV3IsApprovedForAll", "trading", OUTCOME_SHARES, OUTCOME_EXCHANGE.address, "ERC1155"),
    Approval("PositionAutoRedeemIsApprovedForAll", "auto-redeem", OUTCOME_SHARES, AUTO_REDEEMER, "ERC1155"),
)
