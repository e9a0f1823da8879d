"""Signing in: the ways in, password, second step, outside logins, linking, invitations."""

from fastapi import APIRouter

router = APIRouter()
