"""Find video files and their captions.

clips.csv, clips.jsonl ...  the rows of a manifest, the only captions of its folder
rex.mp4  rex.txt            a text file of the same name, or the caption in rex.json
videos/1.mp4  labels/1.txt  the same in a folder for texts (CogVideoX)
rex/1.mp4  rex/caption.txt  the text of the only clip of a folder
dogs/rex.mp4                the name of the folder, a class
a_dog_runs.mp4              the file's own name

A folder of numbered pictures is a clip as a file is, and an archive is as a folder. Of clips that
pianoreel generated, which it writes in several formats, one is found.

`listing` is the door. For each start that is given it makes a `search`: of its `clips`, of its
`manifests`, and of the `captions` of those that no manifest names, from `texts`, `facts` and
names. A table that is no manifest is refused where a `tie` to a clip shows that its captions are
meant.
"""
