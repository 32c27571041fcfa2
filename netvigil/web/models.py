"""Links that sign a browser in, once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from netvigil.db.base import Base


class SignInCode(Base):
    """A code that stands for a token, once and for minutes.

    Only the code's hash is here, and the token is sealed with a key that is not: who reads the database can sign in with
    neither, who writes to it can make no code of their own.
    """

    __tablename__ = "sign_in_code"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    token: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
