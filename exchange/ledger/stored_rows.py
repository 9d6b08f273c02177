"""Rows of the ledger, read back as what was stored."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from exchange.domain.ids import LeadId, SaleId
from exchange.domain.moment import AwardRow, LeadEnd, LeadRow, QuoteRow, SaleEnd
from exchange.domain.reason import Reason
from exchange.domain.states import LeadStatus, SaleState
from exchange.ledger.rows import place
from exchange.ledger.stored import OpenLead, StoredLead, StoredSale
from exchange.ledger.vault import Sealed, Vault


def stored_lead(rows: list[Any], vault: Vault) -> StoredLead:
    """Return one lead from its rows, one for each award, at least one."""
    first = rows[0]
    return StoredLead(
        lead_id=LeadId(str(first["lead_id"])),
        received_at_us=first["received_at"],
        row=lead_row(first),
        last_number=first["last_number"],
        pending=first["pending"],
        end=lead_end(first),
        ended_at_us=first["ended_at"],
        sales=tuple(stored_sale(row, vault) for row in rows if row["sale_id"] is not None),
    )


def stored_part(row: Any) -> StoredLead:
    """Return what was merged into another lead as the duplicate that it is."""
    first = LeadId(str(row["first"]))
    return StoredLead(
        lead_id=LeadId(str(row["lead_id"])),
        received_at_us=row["received_at"],
        row=LeadRow(**as_it_came(row)),
        last_number=row["in_moment"],
        pending=False,
        end=LeadEnd(status=LeadStatus.DUPLICATE, reason=Reason.DUPLICATE, original=first),
        ended_at_us=row["at"],
        sales=(),
        part_of=first,
    )


def stored_sale(row: Any, vault: Vault) -> StoredSale:
    """Return the award of a row and its end."""
    end = None
    if row["sale_state"] is not None:
        end = SaleEnd(
            sale_id=SaleId(str(row["sale_id"])),
            state=SaleState(row["sale_state"]),
            reason=reason(row["sale_reason"]),
            reference=row["reference"],
            redirect_url=opened_redirect(row, vault),
        )
    return StoredSale(award=award_row(row, None), end=end, ended_at_us=row["sale_ended_at"])


def open_leads(rows: Iterable[Any], vault: Vault) -> list[OpenLead]:
    """Return leads from rows in their order, each with its awards, the posts in clear."""
    leads = []
    for lead_id, group in groupby(rows, key=lambda row: LeadId(str(row["lead_id"]))):
        of_lead = list(group)
        leads.append(
            OpenLead(
                lead_id=lead_id,
                received_at_us=of_lead[0]["received_at"],
                worker_id=str(of_lead[0]["worker"]),
                row=lead_row(of_lead[0]),
                last_number=of_lead[0]["last_number"],
                pending=of_lead[0]["pending"],
                awards=tuple(
                    award_row(row, opened_post(row, lead_id, vault))
                    for row in of_lead
                    if row["sale_id"] is not None
                ),
            )
        )
    return leads


def opened_post(row: Any, lead_id: LeadId, vault: Vault) -> bytes | None:
    """Return a post's body in clear, None where there is none or it was erased."""
    if row["post"] is None or row["wrapped_key"] is None:
        return None
    return vault.open(Sealed(row["post"], row["wrapped_key"]), place("award", lead_id))


def opened_redirect(row: Any, vault: Vault) -> str | None:
    """Return where the buyer sends the person on, None where it said nothing or it was erased."""
    if row["redirect_url"] is None or row["redirect_key"] is None:
        return None
    where = place("sale_end", LeadId(str(row["lead_id"])))
    return vault.open(Sealed(row["redirect_url"], row["redirect_key"]), where).decode()


def lead_row(row: Any) -> LeadRow:
    """Return the lead of a row as it was written."""
    return LeadRow(
        **as_it_came(row),
        claim=row["claim"],
        state=row["state"],
        score=row["score"],
    )


def as_it_came(row: Any) -> dict[str, Any]:
    """Return what a row says of a lead from the moment it came, by the names of a `LeadRow`."""
    return {
        "seller_id": row["seller"],
        "campaign_id": row["campaign"],
        "source_id": row["source"],
        "channel": row["channel"],
        "source_declared": row["source_declared"],
        "vertical_id": row["vertical"],
        "seller_ref": row["seller_ref"],
        "test": row["test"],
        "version": row["version"],
        "received_at_us": row["received_at"],
        "answer_by_us": row["answer_by"],
        "idempotency_key": row["idempotency_key"],
    }


def lead_end(row: Any) -> LeadEnd | None:
    """Return the lead's end as it was written, None while it has none."""
    if row["status"] is None:
        return None
    return LeadEnd(
        status=LeadStatus(row["status"]),
        reason=reason(row["reason"]),
        detail=row["detail"],
        price=row["price"],
        original=None if row["original"] is None else LeadId(str(row["original"])),
    )


def award_row(row: Any, post: bytes | None) -> AwardRow:
    """Return the award of a row as it was written."""
    return AwardRow(
        sale_id=SaleId(str(row["sale_id"])),
        offer_id=row["offer"],
        buyer_id=row["buyer"],
        price=row["award_price"],
        payout=row["payout"],
        currency=row["currency"],
        held_at_us=row["held_at"],
        bid_id=row["bid_id"],
        ping_id=row["ping_id"],
        stage=row["stage"],
        buyers_max=row["buyers_max"],
        post=post,
    )


def quote_row(row: Any) -> QuoteRow:
    """Return a quote as it was written."""
    return QuoteRow(
        seller_id=row["seller"],
        campaign_id=row["campaign"],
        source_id=row["source"],
        vertical_id=row["vertical"],
        test=row["test"],
        version=row["version"],
        status=LeadStatus(row["status"]),
        reason=reason(row["reason"]),
        price=row["price"],
        expires_at_us=row["expires_at"],
    )


def reason(code: int | None) -> Reason | None:
    """Return the reason of a published number."""
    return None if code is None else Reason(code)
