from tests.corpus import Corpus


def test_figures_of_one_scan_add_up() -> None:
    corpus = Corpus()
    corpus.record("sast", found=2, planted=3, false=0, clean=3)
    corpus.record("sast", found=1, planted=1, false=1, clean=1)
    corpus.record("code", found=4, planted=4)
    assert corpus.lines() == [
        "code         found 4 of 4 planted, 0 false of 0 clean",
        "sast         found 3 of 4 planted, 1 false of 4 clean",
        "all          found 7 of 8 planted, 1 false of 4 clean",
    ]


def test_without_a_corpus_nothing_is_said() -> None:
    assert Corpus().lines() == []
