"""Terms and attestation, as steps of a sign-in."""

from fastapi import APIRouter

router = APIRouter()
