"""The options of the commands of music, in the order of the commands."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from musegen.files.limits import MOST_BARS, MOST_SONGS, MOST_TRIES

PICKUP_HELP = (
    "Length of a pickup in quarter notes, if no time signature marks it. The pickup is left "
    "out, and bars begin after it."
)

SONG_METER_HELP = (
    "any: divide all beats of your song into the model's bars, whatever its time signatures. "
    "kept: take only its bars in the model's metre."
)

YOUR_SONGS, STEERING = "Your own songs", "Steering"
"""The panels of options in the help of `sample`."""

Soundfont = Annotated[
    Path | None, typer.Option(help="A soundfont of your own (.sf2) to play with.")
]
Voices = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[TRACK=]VOICE",
        help="Play one track, or all but the drums, in a voice: a run of voices (RUN:3 is "
        "its timbre 3), an .sfz, or an .sf2 (FILE.sf2:violin is one of its "
        "instruments). Repeatable.",
    ),
]

# prepare

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        help="Folders, files, patterns, .zip or .tar.gz of MIDI or MusicXML.",
        show_default=False,
    ),
]
TrackList = Annotated[
    str,
    typer.Option(help="lakh, voices, quartet, piano, or a YAML file: see docs/tracks.md."),
]
StepsPerBeat = Annotated[
    int, typer.Option(min=1, help="Steps per quarter note; 12 can hold triplets.")
]
MeterOption = Annotated[
    str,
    typer.Option(
        help="Read only bars of this metre, such as 3/4 or 7/8. any: divide all "
        "beats into bars of 4/4."
    ),
]
Pedal = Annotated[
    bool, typer.Option(help="Let notes sound until the pedal that holds them is released.")
]
Pickup = Annotated[
    float,
    typer.Option(min=0, help=PICKUP_HELP),
]
ItemMeter = Annotated[Literal["kept", "any"], typer.Option(help=SONG_METER_HELP)]
PhraseBars = Annotated[int, typer.Option(min=1, help="Length of a phrase, in bars.")]
Hop = Annotated[int, typer.Option(min=1, help="Bars from one phrase to the next.")]
MinTracks = Annotated[
    int, typer.Option(min=1, help="The least number of tracks that must play in a phrase.")
]
Lpd = Annotated[bool, typer.Option("--lpd", help="Read .npz files of the Lakh Pianoroll Dataset.")]
Band = Annotated[
    int | None,
    typer.Option(min=1, help="Let the procedural band compose this many songs."),
]
Style = Annotated[
    str | None,
    typer.Option(help="With --band: pop, rock, ballad, funk, bossa or swing."),
]

# train

Wiring = Annotated[
    Literal["composer", "jamming", "hybrid"] | None,
    typer.Option(
        help="For MuseGAN: whether all players follow one random source (composer), each its own "
        "(jamming), or both (hybrid)."
    ),
]
GivenTracks = Annotated[
    str,
    typer.Option(
        help="For MuseGAN: tracks that are given, such as piano,drums. The model "
        "learns to add the others."
    ),
]

# evaluate

Paper = Annotated[
    bool,
    typer.Option(
        "--paper",
        help="Also print the tables of MuseGAN's papers, with these songs measured "
        "by their definitions.",
    ),
]

# files to write

Formats = Annotated[
    str,
    typer.Option(
        "--only",
        "--format",
        help="Formats to write: any of mid, png, wav, flac, mp3, ogg, musicxml.",
    ),
]
Npz = Annotated[bool, typer.Option("--npz", help="Also write .npz for pypianoroll.")]
Stems = Annotated[
    bool,
    typer.Option("--stems", help="Also write each track alone. Their sounds add up to the song."),
]
Programs = Annotated[
    str,
    typer.Option(
        metavar="TRACK=SOUND,...",
        help="Other instruments, by General MIDI number (from 0) or by name, such as "
        "bass=38,piano=electric piano,drums=jazz.",
    ),
]

# sample

SongCount = Annotated[int, typer.Option(min=1, max=MOST_SONGS, help="Songs to sample.")]
SongBars = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_BARS,
        help="Bars of a new song (default: 16), or to add after or between your "
        "songs (default: 8).",
        show_default=False,
    ),
]
Given = Annotated[
    Path | None,
    typer.Option(
        help="Your song; say what to keep of it with --keep or --fill.",
        rich_help_panel=YOUR_SONGS,
    ),
]
Keep = Annotated[
    str,
    typer.Option(
        help="With --given: the tracks that stay, such as piano,drums. The others are composed.",
        rich_help_panel=YOUR_SONGS,
    ),
]
Fill = Annotated[
    str,
    typer.Option(
        help="With --given: the bars to compose, such as 5-8. The others stay.",
        rich_help_panel=YOUR_SONGS,
    ),
]
Continued = Annotated[
    Path | None,
    typer.Option("--continue", help="Your song, to be continued.", rich_help_panel=YOUR_SONGS),
]
Between = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        help="Two of your songs, to be joined by new bars that lead from one to the other.",
        rich_help_panel=YOUR_SONGS,
        show_default=False,
    ),
]
Remixed = Annotated[
    Path | None,
    typer.Option(
        "--remix",
        help="Your song, with its sections A, B ... in the order of --form. Other "
        "letters are composed.",
        rich_help_panel=YOUR_SONGS,
    ),
]
SectionBars = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_BARS,
        help="With --remix: length of a section, in bars (default: 4).",
        rich_help_panel=YOUR_SONGS,
        show_default=False,
    ),
]
SongPickup = Annotated[
    float,
    typer.Option(
        min=0,
        help=PICKUP_HELP,
        rich_help_panel=YOUR_SONGS,
    ),
]
SongMeter = Annotated[
    Literal["kept", "any"], typer.Option(help=SONG_METER_HELP, rich_help_panel=YOUR_SONGS)
]
ComposedTracks = Annotated[
    str,
    typer.Option(help="Compose only these tracks, such as drums,bass.", rich_help_panel=STEERING),
]
Form = Annotated[
    str,
    typer.Option(
        help="A letter for each section, such as AABA; auto leaves it to the model.",
        rich_help_panel=STEERING,
    ),
]
KeyName = Annotated[
    str,
    typer.Option(
        help='A key, such as "A minor" or F#. Without it, the model chooses.',
        rich_help_panel=STEERING,
    ),
]
ScaleStrength = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="With --key: 1 allows no other notes; 0 only transposes new songs.",
        rich_help_panel=STEERING,
    ),
]
Density = Annotated[
    str,
    typer.Option(
        help="How many notes: low, normal, high, or a factor from 0.25 to 4.",
        rich_help_panel=STEERING,
    ),
]
Ending = Annotated[
    bool,
    typer.Option("--ending", help="Thin out and close on the tonic.", rich_help_panel=STEERING),
]
TempoBpm = Annotated[
    float | None,
    typer.Option(
        min=10,
        max=400,
        help="Tempo in beats per minute. Without it, that of your song, or of one of "
        "the training songs.",
        rich_help_panel=STEERING,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="Above the model's own value, songs are more daring; below it, more usual.",
        rich_help_panel=STEERING,
    ),
]
TopP = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1,
        help="For models that compose note by note: sample each choice only from the likeliest "
        "options, which together have this probability.",
        rich_help_panel=STEERING,
    ),
]
BestOf = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_TRIES,
        help="Sample each song this many times, and keep the one that sounds most real; "
        "1 takes the first. Without it, each song is chosen at random from a few, "
        "more often one that sounds real.",
        rich_help_panel=STEERING,
    ),
]
JudgedAgainst = Annotated[
    Path | None,
    typer.Option(
        help="The collection that your run was trained on. Needed once if its "
        "training was stopped, to show what real songs are like.",
        rich_help_panel=STEERING,
    ),
]
Binarisation = Annotated[
    Literal["stochastic", "deterministic", "probability"] | None,
    typer.Option(
        help="For musegan: notes are drawn by chance (stochastic), or decided neuron by neuron "
        "(deterministic), or kept where their whole probability is above one half "
        "(probability). Without it, the same as in training.",
        rich_help_panel=STEERING,
    ),
]

# render

SongFile = Annotated[Path, typer.Argument(help="A MIDI file.", show_default=False)]
SoundFile = Annotated[
    Path | None,
    typer.Option(
        help="The sound file: .wav, .flac, .mp3 or .ogg.",
        show_default="the song's name as .wav",
    ),
]
