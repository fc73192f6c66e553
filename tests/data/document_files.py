"""Writers of one text in several formats: paragraphs under headings."""

from pathlib import Path

Section = tuple[str, list[str]]
"""A heading and its paragraphs."""


def write_markdown(path: Path, sections: list[Section]) -> Path:
    texts = [f"{'#' if n == 0 else '##'} {title}\n\n" + "\n\n".join(body) for n, (title, body) in enumerate(sections)]
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return path


def write_html(path: Path, sections: list[Section]) -> Path:
    from html import escape

    parts = [
        f"<h{min(n, 1) + 1}>{escape(title)}</h{min(n, 1) + 1}>" + "".join(f"<p>{escape(text)}</p>" for text in body)
        for n, (title, body) in enumerate(sections)
    ]
    path.write_text(f"<html><head><title>t</title></head><body>{''.join(parts)}</body></html>", encoding="utf-8")
    return path


def write_pdf(path: Path, sections: list[Section]) -> Path:
    from fpdf import FPDF

    pdf = FPDF(format=(148, 210))
    pdf.add_page()
    for n, (title, body) in enumerate(sections):
        pdf.set_font("Helvetica", size=18 if n == 0 else 14)
        pdf.multi_cell(0, 9, _latin(title), new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2)
        pdf.set_font("Helvetica", size=10)
        for text in body:
            pdf.multi_cell(0, 5, _latin(text), new_x="LMARGIN", new_y="NEXT")
            pdf.ln(3)
    pdf.output(str(path))
    return path


def write_scan(path: Path) -> Path:
    """Write a PDF without text: a drawing."""
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.rect(20, 20, 100, 60)
    pdf.output(str(path))
    return path


def write_docx(path: Path, sections: list[Section]) -> Path:
    import docx

    document = docx.Document()
    for n, (title, body) in enumerate(sections):
        document.add_heading(title, level=1 if n == 0 else 2)
        for text in body:
            document.add_paragraph(text)
    document.save(str(path))
    return path


def write_pptx(path: Path, sections: list[Section]) -> Path:
    import pptx

    presentation = pptx.Presentation()
    for title, body in sections:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(body)
        slide.notes_slide.notes_text_frame.text = f"Notes on {title}"
    presentation.save(str(path))
    return path


def _latin(text: str) -> str:
    """Return a text in the characters of a PDF's built-in fonts."""
    return text.encode("latin-1", "replace").decode("latin-1")
