"""The tab "A face of one's own"."""

import streamlit as st


def show() -> None:
    """Lays the tab out."""
    st.write("To come.")
