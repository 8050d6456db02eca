"""The page itself, as `mvlm app` starts it: title, about, tabs. What it takes seconds to import is behind it."""


def show() -> None:
    """Lays out the page; each tab is laid out again by itself."""
    import streamlit as st

    from mvlm.app import face_tab, paper_tab, scan_tab
    from mvlm.app.model import chosen
    from mvlm.app.worker import shared
    from mvlm.classify.page import AMONG, about

    st.set_page_config(page_title="mvlm: a face, and the words that fit", layout="wide")
    st.html(
        "<style>.stMainBlockContainer {padding-top: 3rem}</style>"
    )  # which has room for a toolbar that is not there
    st.title("Which words fit this face?")
    st.caption(about(chosen().model, AMONG))
    st.session_state["waits"] = not shared.loaded  # until it is laid out again; a tab by itself waits for its answer
    with st.container():  # there or not, it has its place, so that the tabs keep theirs and the chosen one stays chosen
        if not shared.loaded:
            shared.start()
            st.fragment(_loading, run_every=1)()
    parts = {"A scan": scan_tab.show, "A face of one's own": face_tab.show, "The paper": paper_tab.show}
    for tab, part in zip(st.tabs(list(parts)), parts.values(), strict=True):
        with tab:
            st.fragment(part)()


def _loading() -> None:
    import streamlit as st

    from mvlm.app.pieces import plain
    from mvlm.app.worker import shared

    if shared.loaded:
        st.rerun()
    if shared.failed:
        st.error(plain(shared.failed))
        return
    st.info("The model is loading; what you choose meanwhile is read as soon as it is there.")


if __name__ == "__main__":  # a process that is started from here imports this file by another name
    show()
